// SPDX-License-Identifier: MIT
// Search, the choice of light or dark, and the page list of narrow windows.  Pages are whole
// without it.
//
// The index is a script, because a page that was opened from a folder may load scripts and
// nothing else.  It is loaded when somebody is about to search: rows of
// [url, page title, heading, text].
'use strict';

const top_ = document.documentElement.dataset.top;
const RESULTS_MAX = 25;
const SNIPPET_CHARACTERS = 150;

// ---- Light and dark: what was chosen, else what the system says -----------------------

const themeButton = document.querySelector('.theme');
const root = document.documentElement;

function storedTheme() {
  try { return localStorage.getItem('theme'); } catch { return null; }
}

function isDark() {
  return root.dataset.theme ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
}

if (storedTheme()) root.dataset.theme = storedTheme();
themeButton.hidden = false;
themeButton.addEventListener('click', () => {
  root.dataset.theme = isDark() ? 'light' : 'dark';
  try { localStorage.setItem('theme', root.dataset.theme); } catch { /* not remembered */ }
});

// ---- The page list is open where it has a column of its own ---------------------------

const pages = document.querySelector('.pages');
const narrow = matchMedia('(max-width: 50rem)');
const foldPages = () => { pages.open = !narrow.matches; };
narrow.addEventListener('change', foldPages);
foldPages();
const here = pages.querySelector('[aria-current]');
if (here && !narrow.matches) pages.scrollTop = here.offsetTop - pages.clientHeight / 2;

// ---- Search ---------------------------------------------------------------------------

const form = document.querySelector('.search');
const input = form.querySelector('input');
const list = form.querySelector('.results');
let selected = -1;

function loadIndex(then) {
  if (window.searchIndex) return then();
  let script = document.querySelector('script[data-index]');
  if (!script) {
    script = document.createElement('script');
    script.dataset.index = '';
    script.src = top_ + '/search-index.js';
    document.head.append(script);
  }
  script.addEventListener('load', then, { once: true });
}

// How well a section answers: every word must occur, headings count most.
function score(row, words) {
  const heading = row[2].toLowerCase(), title = row[1].toLowerCase();
  const text = row[3].toLowerCase();
  let total = 0;
  for (const word of words) {
    let best = 0;
    if (heading === word) best = 100;
    else if (heading.startsWith(word)) best = 60;
    else if (heading.includes(word)) best = 40;
    if (title === word) best += 50;
    else if (title.includes(word)) best += 15;
    if (text.includes(word)) best += new RegExp('\\b' + escape(word)).test(text) ? 8 : 3;
    if (best === 0) return 0;
    total += best;
  }
  return total;
}

function escape(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function find(query) {
  const words = query.toLowerCase().split(/[^\p{L}\p{N}_-]+/u).filter(Boolean);
  if (words.length === 0) return { words, rows: [] };
  const rows = window.searchIndex.map((row) => [score(row, words), row])
    .filter(([points]) => points > 0)
    .sort((a, b) => b[0] - a[0]).slice(0, RESULTS_MAX).map(([, row]) => row);
  return { words, rows };
}

// Text with the words that were sought marked, as nodes: nothing is read as HTML.
function marked(text, words) {
  const pattern = new RegExp('(' + words.map(escape).join('|') + ')', 'gi');
  return text.split(pattern).map((part, index) => {
    if (index % 2 === 0) return part;
    const mark = document.createElement('mark');
    mark.textContent = part;
    return mark;
  });
}

function snippet(text, words) {
  const places = words.map((word) => text.toLowerCase().indexOf(word)).filter((at) => at >= 0);
  const at = places.length > 0 ? Math.min(...places) : 0;
  const from = Math.max(0, text.lastIndexOf(' ', at - 40) + 1);
  return (from > 0 ? '… ' : '') + text.slice(from, from + SNIPPET_CHARACTERS);
}

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function show() {
  const { words, rows } = find(input.value);
  selected = -1;
  list.hidden = words.length === 0;
  list.replaceChildren(...rows.map((row) => {
    const link = element('a', '', element('b', '', ...marked(row[2], words)));
    if (row[1] !== row[2]) link.append(element('span', 'where', row[1]));
    link.append(element('span', 'snippet', ...marked(snippet(row[3], words), words)));
    link.href = top_ + '/' + row[0];
    link.addEventListener('click', () => { list.hidden = true; });
    return element('li', '', link);
  }));
  if (rows.length === 0) list.append(element('li', 'none', 'Nothing found.'));
}

function select(next) {
  const items = [...list.querySelectorAll('li')].filter((item) => item.querySelector('a'));
  if (items.length === 0) return;
  selected = (next + items.length) % items.length;
  items.forEach((item, index) => item.setAttribute('aria-selected', index === selected));
  items[selected].scrollIntoView({ block: 'nearest' });
}

form.hidden = false;
input.addEventListener('focus', () => loadIndex(() => {}));
input.addEventListener('input', () => loadIndex(show));
input.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown') select(selected + 1);
  else if (event.key === 'ArrowUp') select(selected - 1);
  else if (event.key === 'Escape') { list.hidden = true; input.blur(); }
  else return;
  event.preventDefault();
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  const links = list.querySelectorAll('a');
  if (links.length > 0) links[Math.max(selected, 0)].click();
});
document.addEventListener('keydown', (event) => {
  const typing = /^(input|textarea|select)$/i.test(event.target.tagName);
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    input.focus();
  }
});
document.addEventListener('click', (event) => {
  if (!form.contains(event.target)) list.hidden = true;
});

// A search can be linked to: index.html?q=words.
const asked = new URLSearchParams(location.search).get('q');
if (asked) {
  input.value = asked;
  loadIndex(show);
}
