#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The documentation as a static site that works from a folder, without a server.

    make_site.py --reference build/docs/reference --out build/docs/site [ROOT]

Every Markdown page of the tree becomes an HTML page beside the same neighbours: README.md
of a folder is its index.html.  Links between pages are rewritten, `Names` of the reference
become links to it, code gets its colours, and search-index.js the text of every section.
The look is theme/.  Nothing on a page comes from elsewhere.

Markdown is read by markdown-it-py (third_party/python.txt); see library.py.  Tested by
tests/docs/test_site.py, which follows every link.
"""

import argparse
import html
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

from highlight import highlight          # noqa: E402
from library import markdown_parser      # noqa: E402
from slug import anchors                 # noqa: E402

REFERENCE = 'docs/reference'
FIRST_COLUMN_NAMES = 30          # the longest, in characters
ASSETS = ('style.css', 'search.js')
# The order of the navigation: title, and pages; a folder ends with a slash and means the
# pages in it that no other line names.
NAVIGATION = [
    ('Start', ['README.md', 'docs/tutorial.md', 'docs/capos.md']),
    ('How to', ['docs/how-to/']),
    ('Understand', ['docs/security.md', 'docs/performance.md', 'docs/invariants.md',
                    'docs/design.md', 'docs/glossary.md']),
    ('Change', ['CONTRIBUTING.md', 'docs/decisions/README.md']),
    ('Reference', [REFERENCE + '/README.md', REFERENCE + '/errors.md',
                   'docs/posix-calls.md', REFERENCE + '/manifest.md',
                   REFERENCE + '/invariants.md', REFERENCE + '/']),
]
TITLES = {'README.md': 'capOS', REFERENCE + '/README.md': 'All interfaces',
          'docs/decisions/README.md': 'Decisions'}


SOURCE = re.compile(r'(?!build/|\.)[\w.-]+(?:/[\w.-]+)+')
INCLUDE_ROOTS = ('', 'abi/include', 'lib/include', 'libcapos/include')


def definition(text, name):
    """Where the line begins that defines a name, or mentions it first."""
    found = re.search(r'^(?:static |enum |void |int |bool |[ ]*def |[ ]*class ).*\b%s\b\(?.*'
                      % re.escape(name), text, re.M) or \
        re.search(r'^.*\b%s\b' % re.escape(name), text, re.M)
    return found.start() if found else 0


class Page:
    """A Markdown page and what is made of it."""

    def __init__(self, path, text, parser):
        self.path, self.text = path, text
        self.url = url_of(path)
        self.tokens = parser.parse(text)
        self.headings = []           # (level, anchor, title)
        names = [plain(inline) for opening, inline in zip(self.tokens, self.tokens[1:])
                 if opening.type == 'heading_open']
        marks = iter(zip(anchors(names), names))
        for token in self.tokens:
            if token.type == 'heading_open':
                anchor, name = next(marks)
                token.attrSet('id', anchor)
                self.headings.append((int(token.tag[1]), anchor, name))

    @property
    def title(self):
        return self.headings[0][2] if self.headings else self.path

    def sections(self):
        """(anchor, heading, text) of what stands below each heading."""
        marks, anchor, heading, words = iter(self.headings), '', self.title, []
        before = None
        for token in self.tokens:
            before, previous = token.type, before
            if token.type == 'heading_open':
                if words:
                    yield anchor, heading, ' '.join(words)
                _, anchor, heading = next(marks)
                words = []
            elif token.type == 'inline' and previous != 'heading_open':
                words.append(plain(token))
            elif token.type in ('fence', 'code_block'):
                words.append(token.content)
        yield anchor, heading, ' '.join(words)


def plain(inline):
    """The text of an inline token."""
    return ''.join(' ' if child.type in ('softbreak', 'hardbreak') else child.content
                   for child in inline.children or [])


def table(rows):
    """A table that scrolls by itself.  Names in the first column aren't broken, prose is."""
    first = [re.sub(r'<[^>]+>', '', cell) for cell in re.findall(r'<tr>\s*<td>(.*?)</td>', rows)]
    kind = 'names' if all(len(cell) <= FIRST_COLUMN_NAMES for cell in first) else 'prose'
    return f'<div class="table"><table class="{kind}">{rows}</table></div>'


def url_of(path):
    folder, name = posixpath.split(path)
    name = 'index.html' if name == 'README.md' else name.removesuffix('.md') + '.html'
    return posixpath.join(folder, name)


def relative(url, page):
    """A URL of the site as seen from a page."""
    target, mark, anchor = url.partition('#')
    return posixpath.relpath(target, posixpath.dirname(page.url) or '.') + mark + anchor


class Site:
    def __init__(self, root, reference, parser):
        self.root, self.parser = root, parser
        self.pages = {}
        for path in tree_pages(root):
            self.add(path, os.path.join(root, path))
        for name in sorted(os.listdir(reference)):
            if name.endswith('.md'):
                self.add(posixpath.join(REFERENCE, name), os.path.join(reference, name))
        with open(os.path.join(reference, 'names.json'), encoding='utf-8') as file:
            self.names = {name: url_of(posixpath.join(REFERENCE, place.partition('#')[0]))
                          + place[len(place.partition('#')[0]):]
                          for name, place in json.load(file).items()}
        self.sources = {}            # files that pages link to and that are no pages: names
        self.pictures = set()        # files that pages show

    def add(self, path, full):
        with open(full, encoding='utf-8') as file:
            self.pages[path] = Page(path, file.read(), self.parser)

    # ---- A page's body

    def body(self, page):
        for token in page.tokens:
            for child in token.children or []:
                if child.type == 'link_open':
                    child.attrSet('href', self.target(page, child.attrGet('href')))
                elif child.type == 'image':
                    self.show(page, child.attrGet('src'))
        return re.sub(r'<table>(.*?)</table>', lambda match: table(match[1]), self.render(page),
                      flags=re.S)

    def render(self, page):
        in_link = False
        for token in page.tokens:
            if token.type == 'inline':
                for child in token.children:
                    if child.type in ('link_open', 'link_close'):
                        in_link = child.type == 'link_open'
                    elif child.type == 'code_inline' and not in_link:
                        self.link_name(page, child)
            elif token.type in ('fence', 'code_block'):
                language = (token.info or '').strip()
                token.type, token.tag = 'html_block', ''
                token.content = ('<pre><code class="language-%s">%s</code></pre>\n'
                                 % (html.escape(language) or 'none', highlight(token.content, language)))
        text = self.parser.renderer.render(page.tokens, self.parser.options, {})
        # A mark behind each heading, to take its link from.
        return re.sub(r'<(h[2-6]) id="([^"]+)">(.*?)</\1>',
                      r'<\1 id="\2">\3 <a class="mark" href="#\2" aria-label="link">#</a></\1>',
                      text, flags=re.S)

    def link_name(self, page, child):
        place = self.names.get(child.content) or self.source_place(child.content)
        if place is None or place == page.url:
            return
        child.type = 'html_inline'
        child.content = '<a class="name" href="%s"><code>%s</code></a>' % (
            html.escape(relative(place, page)), html.escape(child.content))

    def source_place(self, text):
        """Where `path` or `path:name` is on the site; None if it is no file of the tree."""
        path, _, name = text.partition(':')
        if not SOURCE.fullmatch(path):
            return None
        for folder in INCLUDE_ROOTS:
            full = posixpath.join(folder, path)
            if full in self.pages:
                return self.pages[full].url
            if os.path.isfile(os.path.join(self.root, full)):
                self.sources.setdefault(full, set()).update([name] if name else [])
                return full + '.html' + ('#' + name if name else '')
        return None

    def target(self, page, href):
        """What a link of a Markdown page leads to on the site."""
        if re.match(r'\w+:', href) or href.startswith('#'):
            return href
        path, mark, anchor = href.partition('#')
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.path), path))
        if path not in self.pages and posixpath.join(path, 'README.md') in self.pages:
            path = posixpath.join(path, 'README.md')
        if path in self.pages:
            return relative(self.pages[path].url, page) + mark + anchor
        if os.path.isfile(os.path.join(self.root, path)):
            self.sources.setdefault(path, set())
            return relative(path + '.html', page)
        sys.exit(f'{page.path}: {href} leads nowhere')

    def show(self, page, src):
        """A picture lies on the site where it lies in the tree."""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.path), src))
        if not os.path.isfile(os.path.join(self.root, path)):
            sys.exit(f'{page.path}: there is no picture {src}')
        self.pictures.add(path)

    # ---- Around it

    def navigation(self, page):
        named = {path for _, paths in NAVIGATION for path in paths}
        out = []
        for title, paths in NAVIGATION:
            items = []
            for path in paths:
                if path.endswith('/'):
                    items += [p for p in self.pages if posixpath.dirname(p) == path[:-1]
                              and p not in named and not p.endswith('README.md')]
                elif path in self.pages:
                    items.append(path)
            if items:
                out.append('<h2>%s</h2>\n<ul>\n%s</ul>\n' % (title, ''.join(
                    self.navigation_item(page, path) for path in items)))
        return ''.join(out)

    def navigation_item(self, page, path):
        here = ' aria-current="page"' if path == page.path else ''
        title = TITLES.get(path, self.pages[path].title)
        return '<li><a href="%s"%s>%s</a></li>\n' % (
            relative(self.pages[path].url, page), here, html.escape(title))

    def contents(self, page):
        items = [(anchor, title) for level, anchor, title in page.headings if level in (2, 3)]
        if len(items) < 3:
            return ''
        levels = {anchor: level for level, anchor, _ in page.headings}
        return ('<nav class="contents" aria-label="On this page">\n<h2>On this page</h2>\n<ul>\n'
                '%s</ul>\n</nav>\n' % ''.join(
                    '<li class="l%d"><a href="#%s">%s</a></li>\n'
                    % (levels[anchor], anchor, html.escape(title)) for anchor, title in items))

    def html(self, page):
        return self.fill(page, page.title, self.body(page), self.contents(page))

    def fill(self, page, title, body, contents):
        with open(os.path.join(HERE, 'theme', 'page.html'), encoding='utf-8') as file:
            template = file.read()
        parts = {'title': html.escape(title if title == 'capOS' else f'{title} - capOS'),
                 'top': relative('.', page), 'home': relative('index.html', page), 'body': body,
                 'contents': contents, 'navigation': self.navigation(page)}
        return re.sub(r'\{\{(\w+)\}\}', lambda match: parts[match[1]], template)

    def source_page(self, path, names):
        """A file of the tree that a page names, as a page of its own, with anchors at the
        definitions of `names`."""
        with open(os.path.join(self.root, path), encoding='utf-8') as file:
            text = file.read()
        language = {'.c': 'c', '.h': 'c', '.capnp': 'capnp', '.sh': 'sh'}.get(
            posixpath.splitext(path)[1], '')
        places = sorted((definition(text, name), name) for name in names)
        code, start = '', 0
        for at, name in places:
            code += highlight(text[start:at], language) + f'<span id="{html.escape(name)}"></span>'
            start = at
        page = Page(path, '', self.parser)
        page.url = path + '.html'
        body = '<h1 class="path">%s</h1>\n<pre><code>%s</code></pre>\n' % (
            html.escape(path), code + highlight(text[start:], language))
        return page.url, self.fill(page, path, body, '')

    def search_index(self):
        entries = []
        for page in self.pages.values():
            for anchor, heading, text in page.sections():
                entries.append([page.url + ('#' + anchor if anchor else ''), page.title,
                                heading, ' '.join(text.split())])
        return 'window.searchIndex = %s;\n' % json.dumps(entries, ensure_ascii=False,
                                                         separators=(',', ':'))

    def files(self):
        """All text files of the site: a dict from path to contents."""
        # The index before the bodies, whose making changes the tokens.
        files = {'search-index.js': self.search_index()}
        for page in self.pages.values():
            files[page.url] = self.html(page)
        for path, names in sorted(self.sources.items()):
            url, text = self.source_page(path, names)
            files[url] = text
        for path in self.pictures:
            with open(os.path.join(self.root, path), encoding='utf-8') as file:
                files[path] = file.read()
        for name in ASSETS:
            with open(os.path.join(HERE, 'theme', name), encoding='utf-8') as file:
                files[name] = file.read()
        return files


def tree_pages(root):
    """The Markdown pages that git knows or would add."""
    done = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard', '*.md'],
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return sorted({path for path in done.stdout.splitlines()
                       if os.path.isfile(os.path.join(root, path))})
    return sorted(os.path.relpath(os.path.join(where, name), root)
                  for where, folders, names in os.walk(root) if '/build' not in where
                  for name in names if name.endswith('.md'))


def main():
    parser = argparse.ArgumentParser(description='Builds the documentation as a static site.')
    parser.add_argument('--reference', metavar='DIRECTORY', required=True)
    parser.add_argument('--out', metavar='DIRECTORY', required=True)
    parser.add_argument('root', nargs='?', default=ROOT)
    arguments = parser.parse_args()
    site = Site(arguments.root, arguments.reference, markdown_parser())
    files = site.files()
    shutil.rmtree(arguments.out, ignore_errors=True)
    for path, text in files.items():
        full = os.path.join(arguments.out, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as file:
            file.write(text)


if __name__ == '__main__':
    main()
