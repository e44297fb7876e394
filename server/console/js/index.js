// The index page: what a collection holds and how it is searched, its model and spaces, its operations and snapshots.
import {collectionPath, follow, get, post, withParameters} from './api.js';
// clang-format off
import {$, ago, bytes, clearErrors, confirmed, count, duration, field, h, notify, openDialog, option, percent, plural,
  progressBar, table, when} from './dom.js';
// clang-format on
import {measureRecall} from './recall.js';

const kPoll = 2000;
const kOperations = 20;
let timer;
let page;
let measured = null;  // {collection, text}
let drawing = 0;

const layers = [
  ['descriptors', 'Descriptors'], ['codes', 'Codes'], ['graph', 'Graph or lists'], ['tokens', 'Patch tokens'],
  ['attributes', 'Attributes and ids'], ['images', 'Previews and originals'], ['log', 'Log'], ['total', 'Together']
];

function facts(rows) {
  return h('dl', {class: 'facts'},
    rows.filter(([, value]) => value !== undefined && value !== '' && value !== null).map(([name,
      value]) => [h('dt', {}, name), h('dd', {}, value)]));
}

function layerTable(stats) {
  const size = (name, of) => Number(of?.[name] || 0);
  const most =
    Math.max(1, ...layers.slice(0, -1).flatMap(([name]) => [size(name, stats.memory), size(name, stats.disk)]));
  const cell = (name, of) => h('td', {}, bytes(size(name, of)),
    name !== 'total' && h('i', {class: 'amount', style: {width: `${100 * size(name, of) / most}%`}}));
  return h('table', {class: 'layers'},
    h('thead', {}, h('tr', {}, ['Layer', 'Memory', 'Disk'].map((text) => h('th', {scope: 'col'}, text)))),
    h('tbody', {},
      layers.map(([name, label]) => h('tr', {class: name === 'total' ? 'total' : ''}, h('th', {scope: 'row'}, label),
                   cell(name, stats.memory), cell(name, stats.disk)))));
}

const isBusy = (operation) => /RUNNING|PENDING/.test(operation.state);

function operationRow(operation) {
  const busy = isBusy(operation);
  const left = (new Date(operation.estimatedEndTime) - Date.now()) / 1000;
  return h('tr', {}, h('td', {}, operation.kind),
    h('td', {},
      busy ?
        [
          progressBar(operation.done, operation.total, operation.kind),
          Number(operation.total) > 0 && h('small', {}, `${count(operation.done)} of ${count(operation.total)}`)
        ] :
        operation.state.replace('STATE_', '').toLowerCase()),
    h('td', {},
      busy ? operation.estimatedEndTime && `${duration(Math.max(0, left))} to go` :
             operation.error?.message || when(operation.endTime)),
    h('td', {},
      busy &&
        h('button', {class: 'quiet', onclick: () => act(() => post(`/v1/${operation.name}:cancel`), 'Cancelled.')},
          'Cancel')));
}

async function act(work, done) {
  try {
    await work();
    clearErrors();
    if (done) notify(done);
  } catch (error) {
    page.failed(error);
  }
  load();
}

const started = (path, request = {}) => act(async () => {
  const {operation} = await post(path, request);
  follow(operation)
    .then(() => notify(`${operation.kind} has ended well.`),
      (error) => (error.status === 'CANCELLED' ? notify(error.message) : page.failed(error)))
    .then(() => page.refresh())
    .then(load, load);
});

async function load() {
  clearTimeout(timer);
  const mine = ++drawing;
  const name = page.collection();
  const box = $('#collection-page');
  if (!box) return;
  if (!name) {
    box.replaceChildren(h('p', {class: 'empty'}, 'There is no collection yet. The Ingest page makes one.'));
    return;
  }
  const forbidden = (error) => (error.code === 403 ? {} : Promise.reject(error));  // not every key may see them
  let soon = true;
  try {
    const [{collection}, {snapshots = []}, {operations = []}] = await Promise.all([
      get(collectionPath(name)), get(withParameters('/v1/snapshots', {collection: name})).catch(forbidden),
      get(withParameters('/v1/operations', {collection: name})).catch(forbidden)
    ]);
    if (mine !== drawing) return;  // a later one is on its way
    soon = operations.some(isBusy) || Number(collection.stats?.graphBacklog) > 0;
    if (box.isConnected) draw(box, collection, snapshots, operations);
  } catch (error) {
    if (mine !== drawing) return;
    page.failed(error);
    soon = error.status === 'UNAVAILABLE';
  }
  if (soon && box.isConnected) timer = setTimeout(load, kPoll);
}

async function measure(collection, box) {
  const controller = new AbortController();
  const state = h('span', {role: 'status'}, 'measuring …');
  box.replaceChildren(state);
  try {
    const {found, wanted, queries, top} = await measureRecall(collection, (share) => {
      if (!state.isConnected) controller.abort();
      state.textContent = `measuring … ${percent(share)}`;
    }, controller.signal);
    measured = {
      collection,
      text: wanted ? `${percent(found / wanted, 1)} of the exact best ${top}, over ${plural(queries, 'image')}` :
                     'there is nothing to measure'
    };
    box.replaceChildren(...recallParts(collection, box));
  } catch (error) {
    if (error.name !== 'AbortError') page.failed(error);
    box.replaceChildren(...recallParts(collection, box));
  }
}
function recallParts(collection, box) {
  return [
    measured?.collection === collection ? `${measured.text} ` : '',
    h('button', {
      class: 'chip',
      id: 'recall',
      title: 'Searches 20 of its images as usual and exactly, and compares',
      onclick: () => measure(collection, box)
    },
      'Measure')
  ];
}
function recallFact(collection) {
  const box = h('span', {});
  box.append(...recallParts(collection, box));
  return box;
}

function holds(collection, stats) {
  const backlog = Number(stats.graphBacklog || 0);
  const total = Number(stats.images) + Number(stats.deletedImages);
  return h('section', {class: 'panel'}, h('h2', {}, 'What it holds'), facts([
    ['Images', count(stats.images)],
    [
      'Deleted',
      Number(stats.deletedImages) ?
        `${count(stats.deletedImages)}, ${
          percent(stats.deletedImages / total)}: their space comes back when segments are rebuilt` :
        '0'
    ],
    ['Searched by', stats.indexChoice], ['Recall', Number(stats.images) > 0 ? recallFact(collection.name) : null],
    ['Segments', `${count(stats.segments)}, and ${count(stats.tailImages)} images in the tail`],
    [
      'Kept of a photo',
      {KEEP_IMAGE_NONE: 'nothing', KEEP_IMAGE_ORIGINAL: 'the original'}[collection.settings?.keepImage] || 'a preview'
    ],
    ['Names', collection.aliases?.length ? `${collection.name}, ${collection.aliases.join(', ')}` : collection.name],
    ['About it', collection.settings?.description], ['Last write', `number ${count(stats.sequence)}`],
    ['Created', when(collection.createTime)],
    ['Read only', collection.readOnly ? h('span', {class: 'warning'}, collection.readOnlyReason) : undefined]
  ]),
    backlog > 0 &&
      h('p', {}, `${plural(backlog, 'image')} wait for the graph; searches compare each of them. `,
        progressBar(Number(stats.images) - backlog, stats.images, 'graph')));
}

function confidenceText(model) {
  return model ? `fitted on ${plural(model.pairs, 'pair')}: right for ${percent(model.accuracy, 1)}, off by ${
                   percent(model.expectedError, 1)} on average` :
                 'not fitted: sightline confidence fit does';
}

function modelPanel(collection) {
  const models = page.info?.models || [];
  const model = models.find((one) => one.name === collection.model);
  const others = models.filter((one) => one.embeddingSpace !== collection.embeddingSpace);
  return h('section', {class: 'panel'},
    h('div', {class: 'row'}, h('h2', {}, 'Its model'),
      others.length > 0 && h('button', {onclick: () => reembed(collection, others)}, 'Re-embed …')),
    facts([
      ['Model', collection.model || 'none: descriptors only'],
      ['Space', h('code', {title: collection.embeddingSpace}, (collection.embeddingSpace || '').slice(0, 16))],
      ['Descriptor', `${count(collection.descriptorDim)} values`], ['Architecture', model?.architecture],
      ['Parameters', model && `${(Number(model.parameters) / 1e6).toFixed(1)} million`],
      [
        'Looks at',
        model &&
          `${count(model.imageSize)} pixels${model.scales?.length > 1 ? ` at ${model.scales.length} scales` : ''}`
      ],
      ['Runs as', model?.numeric],
      [
        'Weights',
        model &&
          (model.untrained ?
              h('span', {class: 'warning'}, 'untrained: results mean nothing') :
              h('details', {}, h('summary', {}, 'where they come from'), model.provenance || 'not known'))
      ],
      [
        'Patch tokens',
        collection.tokenSpace ?
          `kept${model ? `: up to ${count(model.maxTokenCells)} of ${count(model.tokenDim)} values` : ''}` :
          'not kept'
      ],
      ['Re-ranks', model && (model.rerank?.method === 'METHOD_OPTIMAL_TRANSPORT' ? 'by patches' : 'only when asked')],
      ['Confidence', confidenceText(collection.confidence)]
    ]),
    otherSpace(collection));
}

// A second space of the same images: one that is being filled, or the way back.
function otherSpace(collection) {
  const other = collection.otherSpace;
  if (!other) return null;
  const path = collectionPath(collection.name);
  const previous = other.state === 'STATE_PREVIOUS';
  const back = async () => {
    if (await confirmed('Go back to the space before?',
          `${collection.name} is searched by ${
            other.model} again, by everybody and at once. What was written since is embedded by it first.`,
          'Go back', 'primary'))
      started(`${path}:reembed`, {rollback: true});
  };
  const drop = async () => {
    if (await confirmed('Drop the other space?',
          `${plural(other.images, 'image')} embedded by ${other.model} go; ${
            collection.name} stays as it is searched now. There is no way back then.`,
          'Drop it'))
      act(() => post(`${path}:dropOtherSpace`), 'The other space is dropped.');
  };
  return h('div', {class: 'other-space'}, h('h3', {}, previous ? 'The space before' : 'A space being filled'),
    h('p', {},
      `${other.model}, ${plural(other.images, 'image')}${
        previous && other.dropTime ? `, kept until ${when(other.dropTime)}` : ''}. `),
    previous ? null : progressBar(other.images, collection.stats?.images, 'images embedded again'),
    h('div', {class: 'row'}, previous && h('button', {onclick: back}, 'Go back to it …'),
      h('button', {class: 'quiet', onclick: drop}, 'Drop it …')));
}

function reembed(collection, models) {
  const model = h('select', {}, models.map((one) => option(one.name, `${one.name}: ${one.architecture}`)));
  const form = h('form', {
    onsubmit: (event) => {
      event.preventDefault();
      const name = model.value;
      dialog.close();
      started(`${collectionPath(collection.name)}:reembed`, {model: name});
    }
  },
    h('p', {},
      'Every image is embedded again from what is kept of it, beside the space in use. Searches go on in the old one, ',
      'and change over at once when all are there. The old one is kept for a day, as a way back.'),
    field('By the model', model),
    h('div', {class: 'row end'}, h('button', {type: 'button', onclick: () => dialog.close()}, 'Cancel'),
      h('button', {class: 'primary'}, 'Begin')));
  const dialog = openDialog(`Re-embed ${collection.name}`, form);
}

function snapshotPanel(path, snapshots) {
  const remove = async (one) => {
    if (await confirmed(
          'Delete this snapshot?', `${one.name} of ${when(one.createTime)}. This cannot be undone.`, 'Delete'))
      act(() => post(`/v1/${one.name}:delete`));
  };
  return h('section', {class: 'panel'},
    h('div', {class: 'row'}, h('h2', {}, 'Snapshots'),
      h('button', {onclick: () => started(`${path}/snapshots`)}, 'Take one')),
    snapshots.length ?
      [
        h('p', {class: 'soft'}, `The last one was taken ${ago(snapshots[0].createTime)}.`),
        table(['Name', 'Taken', 'Images', 'Size', ''],
          snapshots.map(
            (one) => [one.name, when(one.createTime), count(one.images), bytes(one.sizeBytes),
              h('button', {class: 'quiet', 'aria-label': `Delete ${one.name}`, onclick: () => remove(one)}, 'Delete')]))
      ] :
      h('p', {class: 'soft'}, 'None. A snapshot is a consistent copy that can be restored and downloaded.'));
}

function draw(box, collection, snapshots, operations) {
  const stats = collection.stats || {};
  const path = collectionPath(collection.name);
  const kept = $('details[open]', box) !== null;
  box.replaceChildren(h('div', {class: 'columns'}, holds(collection, stats), modelPanel(collection)),
    h('div', {class: 'columns'}, h('section', {class: 'panel'}, h('h2', {}, 'Bytes by layer'), layerTable(stats)),
      h('div', {}, snapshotPanel(path, snapshots),
        h('section', {class: 'panel'},
          h('div', {class: 'row'}, h('h2', {}, 'Operations'),
            h('button', {
              title: 'Seals what is new, rebuilds what has deleted images, finishes graphs',
              onclick: () => started(`${path}:optimize`)
            },
              'Optimise')),
          operations.length ? h('table', {}, h('tbody', {}, operations.slice(0, kOperations).map(operationRow))) :
                              h('p', {class: 'soft'}, 'Nothing runs, and nothing has.')))));
  if (kept && $('details', box)) $('details', box).open = true;  // it is drawn again while somebody reads
}

export function show(app) {
  page = app;
  app.main.replaceChildren(h('h1', {}, app.collection() ? `Index of ${app.collection()}` : 'Index'),
    h('div', {id: 'collection-page'}, h('p', {class: 'soft'}, 'Loading …')));
  load();
}
export function leave() {
  clearTimeout(timer);
  drawing++;
}
