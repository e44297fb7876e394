// The duplicates page: groups of images that show the same thing, verified patch by patch, side by side. Nothing is
// deleted unless somebody says so, one image at a time.
import {collectionPath, follow, pictureUrl, post} from './api.js';
import {$, confirmed, count, field, h, notify, openDialog, percent, plural, preview, progressBar} from './dom.js';
import {evidenceView} from './evidence.js';
import {suggestions} from './filter.js';
import {withSuggestions} from './suggest.js';

const kGroupsAtOnce = 25;
const kImagesShown = 12;  // of a group, until all are asked for
const kPairsShown = 6;
const kMatched = 24;
let page;
let found = null;   // {collection, result, shown}
let search = null;  // {controller, operation}

function cancel() {
  if (!search) return;
  search.controller.abort();
  if (search.operation) post(`/v1/${search.operation.name}:cancel`).catch(() => {});  // it may have ended by itself
  search = null;
}

async function find(event) {
  event.preventDefault();
  cancel();
  const mine = search = {controller: new AbortController(), operation: null};
  const collection = page.collection();
  const share = (id) => Number($(id).value) / 100;
  const filter = $('#duplicates-filter').value.trim();
  const request = {
    ...(page.about().confidence ? {minConfidence: share('#least-confidence')} :
                                  {minScore: share('#least-score'), minStructuralScore: share('#least-structural')}),
    ...(filter ? {filter} : {})
  };
  try {
    mine.operation =
      (await post(`${collectionPath(collection)}:findDuplicates`, request, [], mine.controller.signal)).operation;
    const result = await follow(mine.operation, (now) => {
      mine.operation = now;
      drawProgress();
    }, mine.controller.signal);
    found = {collection, result, shown: kGroupsAtOnce};
  } catch (error) {
    if (error.name !== 'AbortError') page.failed(error);
  } finally {
    if (search === mine) {
      search = null;
      draw();
    }
  }
}

async function compare(pair) {
  const {collection} = found;
  try {
    const {evidence} = await post(`${collectionPath(collection)}:explain`, {
      query: {id: pair.firstId},
      result: {id: pair.secondId},
      options: {enabled: true, correspondences: kMatched, heatMaps: true}
    });
    const [first, second] = await Promise.all([pair.firstId, pair.secondId].map((id) => pictureUrl(collection, id)));
    openDialog('Why are these the same?',
      evidence ?
        evidenceView(evidence, {url: first, label: pair.firstId}, {url: second, label: pair.secondId}).element :
        h('p', {}, 'The collection keeps no patch tokens: they are alike by their descriptors alone.'),
      {wide: true});
  } catch (error) {
    page.failed(error);
  }
}

async function remove(group, id) {
  const shown = found;
  if (!await confirmed(
        'Delete this image?', `${id} goes from the collection ${shown.collection}. This cannot be undone.`, 'Delete'))
    return;
  try {
    await post(`${collectionPath(shown.collection)}/images:delete`, {ids: [id]});
    notify(`${id} is deleted.`);
    group.ids = group.ids.filter((one) => one !== id);
    group.pairs = (group.pairs || []).filter((pair) => pair.firstId !== id && pair.secondId !== id);
    const {result} = shown;
    const left = result.groups.filter((one) => one.ids.length > 1);
    result.totalGroups -= result.groups.length - left.length;
    result.groups = left;
    draw();
  } catch (error) {
    page.failed(error);
  }
}

const pairText = (pair) => `${pair.firstId} and ${pair.secondId}: ${(pair.score || 0).toFixed(3)}${
  pair.structuralScore !== undefined ? `, patches ${pair.structuralScore.toFixed(3)}` : ''}`;

function groupCard(group) {
  const best = (group.pairs || [])[0];
  const ids = group.all ? group.ids : group.ids.slice(0, kImagesShown);
  return h('li', {class: 'panel group'},
    h('div', {class: 'row'}, h('h3', {}, plural(group.ids.length, 'image')),
      group.minConfidence > 0 && h('span', {class: 'confidence'}, `at least ${percent(group.minConfidence)} sure`)),
    h('ul', {class: 'side-by-side'},
      ids.map(
        (id) => h('li', {}, preview(pictureUrl(found.collection, id), `Preview of ${id}`),
          h('span', {class: 'name', title: id}, id),
          h('button', {class: 'quiet', 'aria-label': `Delete ${id}`, onclick: () => remove(group, id)}, 'Delete'))),
      ids.length < group.ids.length &&
        h('li', {},
          h(
            'button', {
              onclick: () => {
                group.all = true;
                draw();
              }
            },
            `and ${count(group.ids.length - ids.length)} more`))),
    h('div', {class: 'row'}, best && h('button', {class: 'why-button', onclick: () => compare(best)}, 'Why the same?'),
      h('div', {class: 'chips'},
        (group.pairs || [])
          .slice(0, kPairsShown)
          .map(
            (pair) => h('button', {class: 'chip', title: 'Why are these two the same?', onclick: () => compare(pair)},
              pairText(pair))))));
}

function drawProgress() {
  const {done, total} = search?.operation || {};
  $('#groups')?.replaceChildren(
    h('p', {}, `Comparing ${count(done)} of ${count(total)} …`), progressBar(done, total, 'images compared'));
}

function draw() {
  const box = $('#groups');
  if (!box) return;
  if (search) {
    drawProgress();
    return;
  }
  if (!found || found.collection !== page.collection()) {
    box.replaceChildren();
    return;
  }
  const {groups = [], images, verifiedPairs, totalGroups} = found.result;
  box.replaceChildren(h('p', {id: 'groups-found', role: 'status'},
                        `${plural(totalGroups, 'group')} among ${plural(images, 'image')}; ${
                          plural(verifiedPairs, 'pair')} compared patch by patch.`),
    h('ul', {class: 'groups'}, groups.slice(0, found.shown).map(groupCard)),
    groups.length > found.shown ? h('button', {
      onclick: () => {
        found.shown += kGroupsAtOnce;
        draw();
      }
    },
                                    'More') :
                                  '');
}

export function show(app) {
  page = app;
  const number = (id, value, least) => h('input', {
    id,
    type: 'number',
    min: String(least),
    max: '100',
    step: '1',
    required: true,
    value: String(value),
    class: 'short'
  });
  const filter = h('input', {id: 'duplicates-filter', type: 'search', spellcheck: 'false'});
  app.main.replaceChildren(h('h1', {}, 'Duplicates'),
    h('p', {class: 'soft'},
      'Looks for images that show the same thing: near neighbours by descriptor, then verified by their patches. ',
      'Nothing is deleted by itself.'),
    h('form', {class: 'bar-form panel', onsubmit: find},
      app.about().confidence ? field('Least confidence, %', number('least-confidence', 90, 0)) :
                               [
                                 field('Least score, %', number('least-score', 90, -100)),
                                 field('Least structural score, %', number('least-structural', 80, -100))
                               ],
      field('Filter', withSuggestions(filter, (before) => suggestions(page.collection(), before), () => {})),
      h('button', {class: 'primary', id: 'find'}, 'Find')),
    h('section', {id: 'groups'}));
  draw();
}
export function collectionChanged() {
  cancel();
}
