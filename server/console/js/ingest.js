// The ingest page: photos and folders into a collection, a few at a time, with what failed and why. A photo keeps its
// request id when it is sent again, so that nothing is written twice.
import {$, bytes, count, duration, field, h, notify, plural, progressBar} from './dom.js';
import {collectionPath, post} from './api.js';

const kAtOnce = 4;
const kAttempts = 6;
const kFailuresShown = 200;
const wanted = /\.(jpe?g|png|webp)$/i;

let page;
// Kept while other pages are shown: an upload goes on.
const run = {queue: [], total: 0, done: 0, bytes: 0, skipped: 0, same: 0, failures: [], active: 0, stopped: false, began: 0, collection: '', hashes: new Map()};

async function readEntry(entry, path, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({file, path: path + file.name});
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));  // 100 at most
    if (entries.length === 0) return;
    for (const one of entries) await readEntry(one, `${path}${entry.name}/`, found);
  }
}

export async function drop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  if (entries.length) {
    for (const entry of entries) await readEntry(entry, '', found).catch((error) => notify(`${entry.name} cannot be read: ${error.message}. Check its permissions.`, 'error'));
  } else {
    for (const file of transfer.files) found.push({file, path: file.name});
  }
  begin(found);
}

async function begin(found) {
  const photos = found.filter(({path}) => wanted.test(path) && !path.split('/').some((part) => part.startsWith('.')));
  run.skipped += found.length - photos.length;
  if (photos.length === 0) {
    notify(found.length ? `None of the ${plural(found.length, 'file')} is a .jpg, .png or .webp photo. Choose others.` : 'There is nothing in it. Choose another folder.', 'error');
    return;
  }
  if (!await ensureCollection()) return;
  if (run.active === 0) Object.assign(run, {began: performance.now(), done: 0, bytes: 0, total: 0, same: 0, stopped: false, failures: [], hashes: new Map()});
  for (const photo of photos) run.queue.push({...photo, requestId: `console-${crypto.randomUUID?.() ?? Math.random().toString(36).slice(2) + Date.now()}`});
  run.total += photos.length;
  for (let i = run.active; i < kAtOnce; ++i) work();
  draw();
}

async function ensureCollection() {
  const name = ($('#new-collection')?.value || '').trim() || page.collection();
  if (!name) {
    notify('There is no collection to put them in. Give the new one a name.', 'error');
    return false;
  }
  try {
    if (!page.collections.some((one) => one.name === name)) {
      await post('/v1/collections', {name, model: page.info?.defaultModel || '', settings: {}});
      await page.refresh();
      notify(`The collection ${name} is made.`);
    }
    page.choose(name);
    if ($('#new-collection')) Object.assign($('#new-collection'), {value: '', placeholder: `else into ${name}`});
    run.collection = name;
    return true;
  } catch (error) {
    page.failed(error);
    return false;
  }
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// Only where the browser offers it: pages that come by plain HTTP from another machine do without.
async function hashOf(file) {
  if (!crypto.subtle) return null;
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function send(photo) {
  const hash = await hashOf(photo.file);
  if (hash && run.hashes.has(hash) && run.hashes.get(hash) !== photo.path) {
    run.same++;
    return;
  }
  if (hash) run.hashes.set(hash, photo.path);
  for (let attempt = 1; ; ++attempt) {
    try {
      await post(`${collectionPath(run.collection)}/images`, {requestId: photo.requestId, item: {id: photo.path, sourceUri: photo.path}}, [['item.image', photo.file]]);
      return;
    } catch (error) {
      const again = error.code === 429 || error.code === 503 || error.status === 'UNAVAILABLE';
      if (!again || attempt === kAttempts) throw error;
      await pause((error.retryAfter || 0.25) * (0.8 + 0.4 * Math.random()) * Math.min(4, attempt));
    }
  }
}

async function work() {
  run.active++;
  while (run.queue.length && !run.stopped) {
    const photo = run.queue.shift();
    try {
      await send(photo);
      run.bytes += photo.file.size;
    } catch (error) {
      run.failures.push({photo, reason: error.message});
      if (error.code === 401 || error.code === 403) {
        run.stopped = true;
        page.failed(error);
      }
    }
    run.done++;
    draw();
  }
  run.active--;
  if (run.active === 0) {
    run.ended = performance.now();
    page.refresh().catch(() => {});
    draw();
  }
}

let drawn = 0;
function draw() {
  if (!$('#ingest-state') || drawn) return;
  // Not more than a few times a second, however fast photos go.
  drawn = setTimeout(() => { drawn = 0; drawNow(); }, 150);
}

function drawNow() {
  const box = $('#ingest-state');
  if (!box || run.total === 0) return;
  const busy = run.active > 0;
  const seconds = ((busy ? performance.now() : run.ended) - run.began) / 1000;
  const rate = run.done / Math.max(seconds, 0.001);
  const good = run.done - run.failures.length - run.same;
  box.replaceChildren(
    h('h2', {}, busy ? `Into ${run.collection}` : `${plural(good, 'photo')} in ${run.collection}`),
    progressBar(run.done, run.total, 'photos'),
    h('p', {id: 'ingest-rate'}, `${count(run.done)} of ${count(run.total)}, ${bytes(run.bytes)}, ${rate.toFixed(1)} photos/s, `
      + (busy ? `${duration((run.total - run.done) / Math.max(rate, 0.001))} to go` : `in ${duration(seconds)}`)
      + (run.same ? `; ${plural(run.same, 'photo')} the same as another` : '') + (run.skipped ? `; ${plural(run.skipped, 'file')} not a photo` : '')),
    busy ? h('button', {onclick: () => { run.stopped = true; run.queue = []; run.total = run.done + run.active; }}, 'Stop')
         : h('a', {class: 'button primary', href: '#search'}, 'Search them'),
    run.failures.length > 0 && h('section', {}, h('div', {class: 'row'}, h('h3', {}, `${plural(run.failures.length, 'failure')}`), !busy && h('button', {onclick: retry}, 'Retry failed')),
      h('table', {class: 'failures'}, h('thead', {}, h('tr', {}, ['', 'File', 'Why'].map((text) => h('th', {scope: 'col'}, text)))),
        h('tbody', {}, run.failures.slice(0, kFailuresShown).map((failure) => h('tr', {}, h('td', {}, thumbnail(failure)), h('td', {class: 'name'}, failure.photo.path), h('td', {}, failure.reason)))))) || '');
}

function thumbnail(failure) {
  failure.url ??= URL.createObjectURL(failure.photo.file);
  const image = h('img', {src: failure.url, alt: '', class: 'tiny'});
  image.onerror = () => image.replaceWith('–');
  return image;
}

function retry() {
  const again = run.failures.map((failure) => failure.photo);
  for (const failure of run.failures) if (failure.url) URL.revokeObjectURL(failure.url);
  Object.assign(run, {failures: [], stopped: false, done: run.done - again.length, queue: again, began: performance.now()});
  for (let i = 0; i < kAtOnce; ++i) work();
  draw();
}

export function show(app) {
  page = app;
  const list = (input) => [...input.files].map((file) => ({file, path: file.webkitRelativePath || file.name}));
  const files = h('input', {type: 'file', multiple: true, accept: 'image/jpeg,image/png,image/webp', class: 'hidden', id: 'photos', onchange: () => begin(list(files))});
  const folder = h('input', {type: 'file', webkitdirectory: true, class: 'hidden', id: 'folder', onchange: () => begin(list(folder))});
  app.main.replaceChildren(h('h1', {}, 'Ingest'), h('div', {class: 'columns'},
    h('section', {class: 'panel'},
      h('div', {class: 'drop'}, h('strong', {}, 'Drop photos or a folder here'), h('span', {}, 'Their paths become their ids; photos that are there already are written over.'),
        h('div', {class: 'row'}, h('button', {onclick: () => folder.click()}, 'Choose a folder'), h('button', {onclick: () => files.click()}, 'Choose photos')), files, folder),
      field('Into a new collection', h('input', {id: 'new-collection', placeholder: app.collection() ? `else into ${app.collection()}` : 'its name', pattern: '[a-z0-9][a-z0-9_\\-]*', maxlength: '64', spellcheck: 'false'}),
        `Embedded by ${app.info?.defaultModel || 'the model'}. Lower-case letters, digits, - and _.`),
      h('p', {class: 'hint'}, 'Large collections go faster by ', h('code', {}, 'sightline index FOLDER'), ', which resumes and reads attributes, too.')),
    h('section', {class: 'panel', id: 'ingest-state', 'aria-live': 'polite'}, h('p', {}, 'Nothing is being sent.'))));
  drawNow();
}
