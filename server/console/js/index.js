// The index page: what a collection holds and how it is searched, its operations and its snapshots.
import {$, bytes, confirmed, count, h, notify, plural, progressBar, when} from './dom.js';
import {collectionPath, follow, get, post} from './api.js';

const kPoll = 2000;
let timer;
let page;

const layers = [['descriptors', 'Descriptors'], ['codes', 'Codes'], ['graph', 'Graph or lists'], ['tokens', 'Patch tokens'], ['attributes', 'Attributes and ids'], ['images', 'Previews and originals'], ['log', 'Log'], ['total', 'Together']];

function facts(rows) {
  return h('dl', {class: 'facts'}, rows.filter(([, value]) => value !== undefined && value !== '' && value !== null).map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}

function layerTable(stats) {
  const part = (name, of) => Number(of?.[name] || 0);
  return h('table', {class: 'layers'}, h('thead', {}, h('tr', {}, ['Layer', 'Memory', 'Disk'].map((text) => h('th', {scope: 'col'}, text)))),
    h('tbody', {}, layers.map(([name, label]) => h('tr', {class: name === 'total' ? 'total' : ''}, h('th', {scope: 'row'}, label), h('td', {}, bytes(part(name, stats.memory))), h('td', {}, bytes(part(name, stats.disk)))))));
}

function operationRow(operation) {
  const state = operation.state.replace('STATE_', '').toLowerCase();
  const busy = state === 'running' || state === 'pending';
  return h('tr', {}, h('td', {}, operation.kind), h('td', {}, busy ? progressBar(operation.done, operation.total, operation.kind) : state),
    h('td', {}, busy && operation.estimatedEndTime ? `until about ${when(operation.estimatedEndTime)}` : operation.error?.message || when(operation.endTime)),
    h('td', {}, busy && h('button', {class: 'quiet', onclick: () => act(() => post(`/v1/${operation.name}:cancel`), 'Cancelled.')}, 'Cancel')));
}

async function act(work, done) {
  try {
    await work();
    if (done) notify(done);
  } catch (error) {
    page.failed(error);
  }
  load();
}

const started = (path, request = {}) => act(async () => {
  const {operation} = await post(path, request);
  follow(operation).then(() => { notify(`${operation.kind} has ended well.`); load(); }, (error) => page.failed(error));
});

async function load() {
  clearTimeout(timer);
  const name = page.collection();
  const box = $('#collection-page');
  if (!box) return;
  if (!name) {
    box.replaceChildren(h('p', {}, 'There is no collection yet. The Ingest page makes one.'));
    return;
  }
  try {
    const [{collection}, {snapshots = []}, {operations = []}] = await Promise.all([get(collectionPath(name)),
      get(`/v1/snapshots?collection=${encodeURIComponent(name)}`).catch((error) => (error.code === 403 ? {} : Promise.reject(error))),
      get(`/v1/operations?collection=${encodeURIComponent(name)}`)]);
    if (page.collection() === name && $('#collection-page') === box) draw(box, collection, snapshots, operations);
    if (operations.some((one) => /RUNNING|PENDING/.test(one.state)) || Number(collection.stats?.graphBacklog)) timer = setTimeout(load, kPoll);
  } catch (error) {
    page.failed(error);
  }
}

function draw(box, collection, snapshots, operations) {
  const stats = collection.stats || {};
  const backlog = Number(stats.graphBacklog || 0);
  const path = collectionPath(collection.name);
  const model = (page.info?.models || []).find((one) => one.name === collection.model);
  box.replaceChildren(
    h('div', {class: 'columns'},
      h('section', {class: 'panel'}, h('h2', {}, 'What it holds'), facts([
        ['Images', count(stats.images)], ['Deleted, space not reclaimed', count(stats.deletedImages)], ['Searched by', stats.indexChoice],
        ['Segments', `${count(stats.segments)}, and ${count(stats.tailImages)} images in the tail`],
        ['Last write', `number ${count(stats.sequence)}`], ['Created', when(collection.createTime)], ['Read only', collection.readOnly ? collection.readOnlyReason : undefined]]),
        backlog > 0 && h('p', {}, `${plural(backlog, 'image')} wait for the graph; searches compare each of them. `, progressBar(Number(stats.images) - backlog, stats.images, 'graph'))),
      h('section', {class: 'panel'}, h('h2', {}, 'Its model'), facts([
        ['Model', collection.model || 'none: descriptors only'], ['Space', h('code', {}, (collection.embeddingSpace || '').slice(0, 16))], ['Descriptor', `${collection.descriptorDim} values`],
        ['Architecture', model?.architecture], ['Runs as', model?.numeric], ['Patch tokens', collection.tokenSpace ? 'kept' : 'not kept'],
        ['Confidence', collection.confidence ? `fitted on ${plural(collection.confidence.pairs, 'pair')}, error ${(100 * collection.confidence.expectedError).toFixed(1)} %` : 'not fitted'],
        ['Other space', collection.otherSpace ? `${collection.otherSpace.model}, ${plural(collection.otherSpace.images, 'image')}` : undefined]]))),
    h('section', {class: 'panel'}, h('h2', {}, 'Bytes by layer'), layerTable(stats)),
    h('section', {class: 'panel'}, h('div', {class: 'row'}, h('h2', {}, 'Snapshots'), h('button', {onclick: () => started(`${path}/snapshots`)}, 'Take one')),
      snapshots.length ? h('table', {}, h('thead', {}, h('tr', {}, ['Name', 'Taken', 'Images', 'Size', ''].map((text) => h('th', {scope: 'col'}, text)))),
        h('tbody', {}, snapshots.map((one) => h('tr', {}, h('td', {}, one.name), h('td', {}, when(one.createTime)), h('td', {}, count(one.images)), h('td', {}, bytes(one.sizeBytes)),
          h('td', {}, h('button', {class: 'quiet', onclick: async () => { if (await confirmed('Delete this snapshot?', `${one.name} of ${when(one.createTime)}. This cannot be undone.`, 'Delete')) act(() => post(`/v1/${one.name}:delete`)); }}, 'Delete'))))))
        : h('p', {}, 'None. A snapshot is a consistent copy that can be restored and downloaded.')),
    h('section', {class: 'panel'}, h('div', {class: 'row'}, h('h2', {}, 'Operations'), h('button', {title: 'Seals what is new, rebuilds what has deleted images, finishes graphs', onclick: () => started(`${path}:optimize`)}, 'Optimise')),
      operations.length ? h('table', {}, h('tbody', {}, operations.slice(0, 20).map(operationRow))) : h('p', {}, 'Nothing runs, and nothing has.')));
}

export function show(app) {
  page = app;
  app.main.replaceChildren(h('h1', {}, app.collection() ? `Index of ${app.collection()}` : 'Index'), h('div', {id: 'collection-page'}, h('p', {}, 'Loading …')));
  load();
}
export const leave = () => clearTimeout(timer);
