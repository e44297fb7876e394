// The ingest page: photos and folders into a collection, with the rate, what failed and why, and what was left out.
import {post} from './api.js';
import {$, bytes, count, duration, field, h, notify, plural} from './dom.js';
import {forgetFacets} from './filter.js';
import {busy, pace, retry, run, stop, upload} from './upload.js';

const kListed = 200;
const kRedraw = 150;  // ms: photos may go faster than anybody reads
const wanted = /\.(jpe?g|png|webp)$/i;
const hidden = (path) => path.split('/').some((part) => part.startsWith('.'));
let page;

// All files below a dropped entry. What cannot be read is named and left out.
async function readEntry(entry, path, found) {
  try {
    if (entry.isFile) {
      found.push({file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path: path + entry.name});
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));  // 100 at most
      if (entries.length === 0) return;
      for (const one of entries) await readEntry(one, `${path}${entry.name}/`, found);
    }
  } catch (error) {
    notify(`${path}${entry.name} cannot be read: ${error.message} Check its permissions, then drop it again.`, 'error');
  }
}

export async function drop(transfer) {
  // Entries are gone once this function has waited for anything.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = [...transfer.files];
  const found = [];
  if (entries.length)
    for (const entry of entries) await readEntry(entry, '', found);
  else
    for (const file of files) found.push({file, path: file.name});
  begin(found);
}

async function begin(found) {
  const photos = found.filter(({path}) => wanted.test(path) && !hidden(path));
  if (photos.length === 0) {
    notify(found.length ? `None of the ${plural(found.length, 'file')} is a .jpg, .png or .webp photo. Choose others.` :
                          'There is nothing in it. Choose another folder.',
      'error');
    return;
  }
  const collection = await ensureCollection();
  if (collection) upload(photos, collection, found.length - photos.length);
}

// The collection to fill, which is made if it has a new name; null if that fails.
async function ensureCollection() {
  const input = $('#new-collection');
  const name = (input?.value || '').trim() || page.collection();
  if (!name) {
    notify('There is no collection to put them in. Give the new one a name.', 'error');
    return null;
  }
  try {
    if (!page.collections.some((one) => one.name === name)) {
      await post('/v1/collections', {name, model: page.info?.defaultModel || '', settings: {}});
      await page.refresh();
      notify(`The collection ${name} is made.`);
    }
    if (name !== page.collection()) page.choose(name);
    if (input) Object.assign(input, {value: '', placeholder: `else into ${name}`});
    run.largest = Number(page.info?.limits?.maxImageBytes) || Infinity;
    return name;
  } catch (error) {
    page.failed(error);
    return null;
  }
}

let view = null;  // the parts of the page that change, and what of the lists is drawn already
function makeView() {
  const part = {
    title: h('h2', {role: 'status'}),
    bar: h('progress', {'aria-label': 'photos'}),
    rate: h('p', {id: 'ingest-rate'}),
    stop: h('button', {id: 'stop', onclick: () => stop('You have stopped it.')}, 'Stop'),
    search: h('a', {class: 'button primary', href: '#search'}, 'Search them'),
    retry: h('button', {id: 'retry', onclick: retry}, 'Retry failed'),
    why: h('p', {class: 'warning'}),
    failed: h('h3', {}),
    failures: h('tbody'),
    sameTitle: h('summary', {}),
    same: h('ul', {class: 'plain'}),
  };
  const heads = ['', 'File', 'Why'].map((text) => h('th', {scope: 'col'}, text));
  part.failureBox = h('section', {}, h('div', {class: 'row'}, part.failed, part.retry),
    h('table', {class: 'failures'}, h('thead', {}, h('tr', {}, heads)), part.failures));
  part.sameBox = h('details', {id: 'same'}, part.sameTitle, part.same);
  part.box = h('div', {}, part.title, part.bar, part.rate, h('div', {class: 'row'}, part.stop, part.search), part.why,
    part.failureBox, part.sameBox);
  part.shownFailures = [];
  part.shownSame = [];
  return part;
}

// Appends what is new, and begins again where the list has.
function grow(box, shown, list, row) {
  const fresh = shown.length > list.length || shown.some((one, index) => one !== list[index]);
  if (fresh) {
    box.replaceChildren();
    shown.length = 0;
  }
  for (const one of list.slice(shown.length, kListed)) {
    shown.push(one);
    box.append(row(one));
  }
}

function failureRow({photo, reason}) {
  const url = URL.createObjectURL(photo.file);
  const image = h('img', {src: url, alt: '', class: 'tiny', onload: () => URL.revokeObjectURL(url)});
  image.onerror = () => {
    URL.revokeObjectURL(url);
    image.replaceWith(h('span', {class: 'tiny no-picture', title: 'it cannot be shown'}, '–'));
  };
  return h('tr', {}, h('td', {}, image), h('td', {class: 'name'}, photo.path), h('td', {}, reason));
}

function draw() {
  const state = $('#ingest-state');
  if (!state || run.total === 0) return;
  if (!view || !state.contains(view.box)) {
    view = makeView();
    state.replaceChildren(view.box);
  }
  const {seconds, rate, left} = pace();
  const good = run.done - run.failures.length - run.same.length;
  view.title.textContent = busy() ? `Into ${run.collection}` : `${plural(good, 'photo')} in ${run.collection}`;
  Object.assign(view.bar, {max: run.total, value: run.done});
  view.rate.textContent =
    `${count(run.done)} of ${count(run.total)}, ${bytes(run.bytes)}, ${rate.toFixed(1)} photos/s, ` +
    (busy() ? `${duration(left)} to go` : `in ${duration(seconds)}`) +
    (run.notPhotos ? `; ${plural(run.notPhotos, 'file')} not a photo` : '');
  view.stop.hidden = !busy();
  view.search.hidden = busy() || good === 0;
  view.why.textContent = run.stopped ? `Stopped: ${run.stopped}` : '';
  view.failureBox.hidden = run.failures.length === 0;
  view.retry.hidden = busy();
  view.failed.textContent =
    plural(run.failures.length, 'failure') + (run.failures.length > kListed ? `, the first ${kListed}` : '');
  grow(view.failures, view.shownFailures, run.failures, failureRow);
  view.sameBox.hidden = run.same.length === 0;
  view.sameTitle.textContent = `${plural(run.same.length, 'photo')} the same as another, left out`;
  grow(view.same, view.shownSame, run.same, ({photo, as}) => h('li', {}, `${photo.path} is ${as}`));
}

let timer = 0;
run.changed = () => {
  if (timer) return;
  timer = setTimeout(() => {
    timer = 0;
    draw();
  }, kRedraw);
};
run.ended = (error) => {
  forgetFacets();
  page.refresh().catch(() => {});  // the counts of the collections: shown again on the next page
  if (error) page.failed(error);
};

export function show(app) {
  page = app;
  view = null;
  const list = (input) => {
    begin([...input.files].map((file) => ({file, path: file.webkitRelativePath || file.name})));
    input.value = '';  // so that the same files can be chosen again
  };
  const files = h('input', {
    type: 'file',
    multiple: true,
    accept: 'image/jpeg,image/png,image/webp',
    class: 'hidden',
    id: 'photos',
    onchange: () => list(files)
  });
  const folder =
    h('input', {type: 'file', webkitdirectory: true, class: 'hidden', id: 'folder', onchange: () => list(folder)});
  const camera = h('input',
    {type: 'file', accept: 'image/jpeg', capture: 'environment', class: 'hidden', onchange: () => list(camera)});
  app.main.replaceChildren(h('h1', {}, 'Ingest'),
    h('div', {class: 'columns'},
      h('section', {class: 'panel'},
        h('div', {class: 'drop'}, h('strong', {}, 'Drop photos or a folder here'),
          h('span', {}, 'Their paths become their ids; photos that are there already are written over.'),
          h('div', {class: 'row'}, h('button', {onclick: () => folder.click()}, 'Choose a folder'),
            h('button', {onclick: () => files.click()}, 'Choose photos'),
            h('button', {class: 'camera', onclick: () => camera.click()}, 'Take a photo')),
          files, folder, camera),
        field('Into a new collection', h('input', {
          id: 'new-collection',
          placeholder: app.collection() ? `else into ${app.collection()}` : 'its name',
          pattern: '[a-z0-9][a-z0-9_\\-]*',
          maxlength: '64',
          spellcheck: 'false',
          autocomplete: 'off'
        }),
          `Embedded by ${app.info?.defaultModel || 'the model'}. Lower-case letters, digits, - and _.`),
        h('p', {class: 'hint'}, 'Large collections go faster by ', h('code', {}, 'sightline index FOLDER'),
          ', which resumes and reads attributes, too. ',
          'Photos that show the same thing in other bytes are found on the page ',
          h('a', {href: '#duplicates'}, 'Duplicates'), '.')),
      h('section', {class: 'panel', id: 'ingest-state'}, h('p', {class: 'soft'}, 'Nothing is being sent.'))));
  draw();
}
