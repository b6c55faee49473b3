#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the documentation's site: every link of the whole site leads somewhere in it,
nothing is loaded from elsewhere, and the search knows every section.

Skipped where pip can't fetch the Markdown library.
"""

import html.parser
import json
import os
import posixpath
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(ROOT, 'tools', 'docs')
sys.path.insert(0, TOOLS)

import library                      # noqa: E402
from highlight import highlight     # noqa: E402

VOID = {'meta', 'link', 'input', 'br', 'hr', 'img'}


def setUpModule():
    problem = library.fetch()
    if library.HASH_IS_WRONG in problem:
        raise AssertionError(problem)
    if problem:
        raise unittest.SkipTest(f'no Markdown library: {problem.splitlines()[-1]}')


class Markup(html.parser.HTMLParser):
    """Ids, links and loaded files of a page; notes elements that are closed wrongly."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loaded, self.wrong, self.open = [], [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if 'id' in attributes:
            self.ids.append(attributes['id'])
        if tag == 'a':
            self.links.append(attributes['href'])
        self.loaded += [attributes[name] for name in ('src', 'href')
                        if tag != 'a' and name in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)       # <img ... /> has no end of its own

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append('/' + tag)


class Site(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix='capos-site-')
        cls.addClassCleanup(folder.cleanup)
        reference, cls.site = (os.path.join(folder.name, name) for name in ('reference', 'site'))
        schemas = sorted(os.path.join('schema', name)
                         for name in os.listdir(os.path.join(ROOT, 'schema'))
                         if name.endswith('.capnp'))
        for command in (['reference.py', '--out', reference, *schemas],
                        ['make_site.py', '--reference', reference, '--out', cls.site]):
            subprocess.run([sys.executable, '-B', os.path.join(TOOLS, command[0]), *command[1:]],
                           cwd=ROOT, check=True)
        cls.files, cls.pages = {}, {}
        for where, _, names in os.walk(cls.site):
            for name in names:
                path = os.path.relpath(os.path.join(where, name), cls.site)
                with open(os.path.join(where, name), encoding='utf-8') as file:
                    cls.files[path] = file.read()
                if name.endswith('.html'):
                    cls.pages[path] = Markup(cls.files[path])
        index = cls.files['search-index.js']
        cls.index = json.loads(index[index.index('['):index.rindex(';')])

    def test_every_link_leads_to_a_page_and_an_anchor_of_the_site(self):
        for path, page in self.pages.items():
            for link in page.links + page.loaded:
                if link.startswith(('data:', 'https:')):
                    continue
                target, _, anchor = link.partition('#')
                target = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) \
                    if target else path
                self.assertIn(target, self.files, f'{path} links to {link}')
                if anchor:
                    self.assertIn(anchor, self.pages[target].ids, f'{path} links to {link}')

    def test_nothing_is_loaded_from_elsewhere(self):
        for path, page in self.pages.items():
            for link in page.loaded:
                self.assertNotRegex(link, r'^(\w+:)?//', path)
        for name in ('style.css', 'search.js'):
            self.assertNotRegex(self.files[name], r'https?:|@import|url\(')

    def test_pages_are_well_formed_and_ids_unique(self):
        for path, page in self.pages.items():
            self.assertEqual(page.wrong, [], path)
            self.assertEqual(len(page.ids), len(set(page.ids)), path)

    def test_every_markdown_page_is_in_it(self):
        done = subprocess.run(['git', '-C', ROOT, 'ls-files', '*.md'], capture_output=True,
                              text=True, check=True)
        self.assertIn('index.html', self.pages)
        for path in done.stdout.split():
            url = path.removesuffix('.md') + '.html'
            self.assertIn(url.replace('README.html', 'index.html'), self.pages)

    def test_every_page_of_docs_stands_in_the_navigation(self):
        links = {posixpath.normpath(link) for link in self.pages['index.html'].links}
        for path in self.pages:
            if path.startswith('docs/') and 'decisions/0' not in path and \
                    path != 'docs/index.html':
                self.assertIn(path, links)

    def test_names_of_the_reference_become_links(self):
        tutorial = self.files['docs/tutorial.html']
        self.assertIn('<a class="name" href="reference/Timer.html"><code>Timer</code></a>', tutorial)

    def test_paths_become_links_to_the_file_and_the_name_in_it(self):
        self.assertNotRegex(self.files["index.html"], r'href="[^"]*(capos.html"><code>./capos|build/)')
        self.assertRegex(self.files['docs/security.html'],
                         r'href="../tests/core/kill_test.c.html#anybody_can_be_killed_at_any_step"')
        source = self.files['tests/core/kill_test.c.html']
        at = source.index('<span id="anybody_can_be_killed_at_any_step">')
        self.assertIn('static</span>', source[at:at + 200].split('\n')[0])

    def test_the_search_knows_methods_and_headings(self):
        found = {(url, heading) for url, _, heading, _ in self.index}
        self.assertIn(('docs/reference/Timer.html#sleep', 'sleep'), found)
        self.assertIn(('index.html#capos', 'capOS'), found)
        for url, *_ in self.index:
            path, _, anchor = url.partition('#')
            self.assertTrue(not anchor or anchor in self.pages[path].ids, url)


class Colours(unittest.TestCase):
    def test_text_is_escaped_and_nothing_is_lost(self):
        import re
        from html import unescape
        for language in ('c', 'sh', 'capnp', 'console', '', 'unknown'):
            text = '$ a <b> "c & d" // e\n#include <x.h>\nint f(void) { return \'"\'; }\n'
            marked = highlight(text, language)
            self.assertEqual(unescape(re.sub(r'</?span[^>]*>', '', marked)), text)

    def test_parts_of_c_have_their_colours(self):
        marked = highlight('int x = f("if"); // if\n', 'c')
        self.assertIn('<span class="k">int</span> x', marked)
        self.assertIn('<span class="s">"if"</span>', marked)
        self.assertIn('<span class="f">f</span>', marked)
        self.assertIn('<span class="c">// if</span>', marked)

    def test_a_session_tells_commands_from_output(self):
        marked = highlight('$ capos run --tty x\nout\n', 'console')
        self.assertIn('<span class="prompt">$ </span>capos run <span class="n">--tty</span>', marked)
        self.assertIn('<span class="out">out\n</span>', marked)


if __name__ == '__main__':
    unittest.main()
