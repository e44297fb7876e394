// The frame of the console: which page is shown, which collection is meant, keys, paste and drop, the API key.
import {get, hasKey, setKey} from './api.js';
import * as compare from './compare.js';
import {$, clearErrors, field, h, notify, openDialog} from './dom.js';
import * as duplicates from './duplicates.js';
import * as index from './index.js';
import * as ingest from './ingest.js';
import {addPhoto} from './query.js';
import * as search from './search.js';
import {browser} from './store.js';

const pages = {
  search,
  compare,
  index,
  ingest,
  duplicates
};
let current = 'search';

const app = {
  main: $('#page'),
  collections: [],
  info: null,
  collection: () => $('#collection').value,
  // What the server says of a collection.
  about: (name = app.collection()) => app.collections.find((one) => one.name === name) || {},
  choose(name) {
    $('#collection').value = name;
    browser.set('sightline-collection', name);
    for (const page of Object.values(pages)) page.collectionChanged?.();
  },
  failed(error) {
    notify(error.message, 'error');
    if (error.code === 401 && !$('#dialog [name=key]')) askForKey();  // several calls may be refused at once
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
    const wanted = select.value || browser.get('sightline-collection');
    select.replaceChildren(...all.map((one) => h('option', {value: one.name}, one.name)));
    if (all.some((one) => one.name === wanted)) select.value = wanted;
  },
};

function show() {
  const name = location.hash.slice(1);
  pages[current].leave?.();
  current = Object.hasOwn(pages, name) ? name : 'search';
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#${current}`)
      link.setAttribute('aria-current', 'page');
    else
      link.removeAttribute('aria-current');
  }
  document.title = `${current[0].toUpperCase()}${current.slice(1)} · Sightline`;
  pages[current].show(app);
}

function askForKey() {
  const input = h('input', {type: 'password', autocomplete: 'off', name: 'key'});
  const form = h('form', {
    onsubmit: async (event) => {
      event.preventDefault();
      setKey(input.value);
      dialog.close();
      start();
    }
  },
    field('API key', input, 'Kept for this tab, until it is closed. `sightline keys create` makes one.'),
    h('div', {class: 'row end'},
      hasKey() &&
        h('button', {
          type: 'button',
          onclick: () => {
            setKey('');
            dialog.close();
            start();
          }
        },
          'Forget it'),
      h('button', {class: 'primary'}, 'Use it')));
  const dialog = openDialog('The server asks who you are', form);
}

function help() {
  const keys = [
    ['/', 'choose a photo'], ['Ctrl+V', 'search with the picture on the clipboard'], ['Esc', 'close, or begin again'],
    ['Tab, arrows', 'from result to result; Enter says why'],
    ['arrows on a crop box', 'move it; with Shift size it; with Ctrl faster; Delete removes it'],
    ['1 2 3 4 5', 'the pages'], ['?', 'this list']
  ];
  openDialog('Keys', h('table', {}, h('tbody', {}, keys.map(([key,
    what]) => h('tr', {}, h('th', {scope: 'row'}, h('kbd', {}, key)), h('td', {}, what))))));
}

function applyTheme(theme) {
  if (theme)
    document.documentElement.dataset.theme = theme;
  else
    delete document.documentElement.dataset.theme;
}

const typing = (event) =>
  Boolean(event.target.closest?.('input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select'));

addEventListener('hashchange', () => {
  clearErrors();
  show();
});
addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || $('#dialog').open) return;
  if (typing(event)) return;
  if (event.key === 'Escape') pages[current].clear?.();
  if (event.key === '?') help();
  if (event.key === '/' && $('#photo')) {
    event.preventDefault();
    $('#photo').click();
  }
  const page = Object.keys(pages)[Number(event.key) - 1];
  if (page) location.hash = page;
});
addEventListener('paste', (event) => {
  const file = [...(event.clipboardData?.files || [])][0];
  if (!file || !$('#query') || $('#dialog').open) return;
  event.preventDefault();
  addPhoto(file, {pasted: true});
});
// Text may be dragged into fields as ever; what is neither must not take the page away.
const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
addEventListener('dragover', (event) => {
  if (typing(event) && !hasFiles(event)) return;
  event.preventDefault();
  if (hasFiles(event)) document.body.classList.add('dragging');
});
addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) document.body.classList.remove('dragging');
});
addEventListener('drop', (event) => {
  document.body.classList.remove('dragging');
  if (typing(event) && !hasFiles(event)) return;
  event.preventDefault();
  if ($('#dialog').open) return;
  if (!hasFiles(event))
    notify('That is no file. Save the picture, then drop the file.', 'warning');
  else if (pages[current].drop)
    pages[current].drop(event.dataTransfer);
  else
    notify(`Photos are dropped on the pages Search, Compare and Ingest; this is ${current}.`, 'warning');
});
$('#collection').addEventListener('change', (event) => {
  app.choose(event.target.value);
  show();
});
$('#key').addEventListener('click', askForKey);
$('#help').addEventListener('click', help);
$('#theme').addEventListener('click', () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' :
                                                        matchMedia('(prefers-color-scheme: dark)').matches;
  const theme = dark ? 'light' : 'dark';
  browser.set('sightline-theme', theme);
  applyTheme(theme);
});

async function start() {
  applyTheme(browser.get('sightline-theme'));
  try {
    [app.info] = await Promise.all([get('/v1/server'), app.refresh()]);
    for (const warning of app.info.warnings || []) notify(warning, 'warning');
  } catch (error) {
    app.failed(error);
  }
  show();
}
start();
