// The frame of the console: which page is shown, which collection is meant, keys, paste and drop, the API key.
import {$, field, h, notify, openDialog} from './dom.js';
import {get, hasKey, setKey} from './api.js';
import * as search from './search.js';
import * as index from './index.js';
import * as ingest from './ingest.js';
import * as duplicates from './duplicates.js';

const pages = {search, index, ingest, duplicates};
let current = 'search';

const app = {
  main: $('#page'),
  collections: [],
  info: null,
  collection: () => $('#collection').value,
  // Whether the collection's matches have calibrated confidences.
  confidence: () => Boolean(app.collections.find((one) => one.name === app.collection())?.confidence),
  choose(name) {
    $('#collection').value = name;
    localStorage.setItem('sightline-collection', name);
    for (const page of Object.values(pages)) page.collectionChanged?.();
  },
  failed(error) {
    notify(error.message, 'error');
    if (error.code === 401) askForKey();
  },
  async refresh() {
    const all = [];
    let token = '';
    do {
      const page = await get(`/v1/collections?pageSize=1000&pageToken=${encodeURIComponent(token)}`);
      all.push(...(page.collections || []));
      token = page.nextPageToken;
    } while (token);
    app.collections = all;
    const select = $('#collection');
    const wanted = select.value || localStorage.getItem('sightline-collection');
    select.replaceChildren(...all.map((one) => h('option', {value: one.name}, one.name)));
    if (all.some((one) => one.name === wanted)) select.value = wanted;
  },
};

function show() {
  const name = location.hash.slice(1) || 'search';
  pages[current].leave?.();
  current = pages[name] ? name : 'search';
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#${current}`) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  }
  document.title = `${current[0].toUpperCase()}${current.slice(1)} · Sightline`;
  pages[current].show(app);
}

function askForKey() {
  const input = h('input', {type: 'password', autocomplete: 'off', name: 'key'});
  const form = h('form', {onsubmit: async (event) => {
    event.preventDefault();
    setKey(input.value);
    dialog.close();
    start();
  }}, field('API key', input, 'Kept for this tab, until it is closed. `sightline keys create` makes one.'),
  h('div', {class: 'row end'}, hasKey() && h('button', {type: 'button', onclick: () => { setKey(''); dialog.close(); start(); }}, 'Forget it'), h('button', {class: 'primary'}, 'Use it')));
  const dialog = openDialog('The server asks who you are', form);
}

function help() {
  const keys = [['/', 'choose a photo'], ['Ctrl+V', 'search with the picture on the clipboard'], ['Esc', 'close, or begin again'],
    ['Tab, arrows', 'from result to result; Enter says why'], ['arrows on a crop box', 'move it; with Shift size it; with Ctrl faster; Delete removes it'], ['1 2 3 4', 'the pages'], ['?', 'this list']];
  openDialog('Keys', h('table', {}, h('tbody', {}, keys.map(([key, what]) => h('tr', {}, h('th', {scope: 'row'}, h('kbd', {}, key)), h('td', {}, what))))));
}

function applyTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
}

const typing = (event) => event.target.closest('input, textarea, select, [contenteditable]') !== null;

addEventListener('hashchange', show);
addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || $('#dialog').open) return;
  if (event.key === 'Escape' && current === 'search' && !typing(event)) search.clear();
  if (typing(event)) return;
  if (event.key === '?') help();
  if (event.key === '/' && current === 'search') { event.preventDefault(); $('#photo')?.click(); }
  const page = Object.keys(pages)[Number(event.key) - 1];
  if (page) location.hash = page;
});
addEventListener('paste', (event) => {
  const file = [...(event.clipboardData?.files || [])][0];
  if (!file || current !== 'search') return;
  event.preventDefault();
  search.addPhoto(file);
});
addEventListener('dragover', (event) => { event.preventDefault(); document.body.classList.add('dragging'); });
addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('dragging'); });
addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dragging');
  if (event.dataTransfer) pages[current].drop?.(event.dataTransfer);
});
$('#collection').addEventListener('change', (event) => { app.choose(event.target.value); show(); });
$('#key').addEventListener('click', askForKey);
$('#help').addEventListener('click', help);
$('#theme').addEventListener('click', () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const theme = dark ? 'light' : 'dark';
  localStorage.setItem('sightline-theme', theme);
  applyTheme(theme);
});

async function start() {
  applyTheme(localStorage.getItem('sightline-theme'));
  try {
    [app.info] = await Promise.all([get('/v1/server'), app.refresh()]);
    for (const warning of app.info.warnings || []) notify(warning, 'warning');
  } catch (error) {
    app.failed(error);
  }
  show();
}
start();
