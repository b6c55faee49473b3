# SPDX-License-Identifier: MIT
"""The anchors of headings, by the rule of the common forges."""

import re


def slug(heading):
    """`How it ends: #1` is how-it-ends-1."""
    plain = re.sub(r'[^\w\- ]', '', heading.lower())
    return plain.strip().replace(' ', '-')


def anchors(headings):
    """The anchors of a page's headings in their order; a repeated one gets a number."""
    seen, out = {}, []
    for heading in headings:
        name = slug(heading)
        count = seen.get(name, 0)
        seen[name] = count + 1
        out.append(f'{name}-{count}' if count else name)
    return out
