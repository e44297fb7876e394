// The duplicates page: groups of images that show the same thing, verified patch by patch, side by side. Nothing is
// deleted unless somebody says so, one image at a time.
import {$, confirmed, count, field, h, notify, openDialog, plural, progressBar} from './dom.js';
import {collectionPath, follow, pictureUrl, post} from './api.js';
import {evidenceView} from './evidence.js';

const kGroupsAtOnce = 25;
let page;
let found = null;  // {collection, result, shown}
let search = null;

async function find(event) {
  event.preventDefault();
  search?.abort();
  search = new AbortController();
  const collection = page.collection();
  const value = (id) => Number($(id).value) / 100;
  const request = {...(page.confidence() ? {minConfidence: value('#least-confidence')} : {minScore: value('#least-score'), minStructuralScore: value('#least-structural')}),
    ...($('#duplicates-filter').value.trim() ? {filter: $('#duplicates-filter').value.trim()} : {})};
  const box = $('#groups');
  try {
    const {operation} = await post(`${collectionPath(collection)}:findDuplicates`, request, [], search.signal);
    const result = await follow(operation, (now) => box.replaceChildren(h('p', {}, `Comparing ${count(now.done)} of ${count(now.total)} …`), progressBar(now.done, now.total, 'images compared')), search.signal);
    found = {collection, result, shown: kGroupsAtOnce};
    draw();
  } catch (error) {
    if (error.name === 'AbortError') return;
    box.replaceChildren();
    page.failed(error);
  }
}

function picture(id) {
  const image = h('img', {alt: `Preview of ${id}`, loading: 'lazy'});
  pictureUrl(found.collection, id).then((url) => { image.src = url; }).catch(() => {});
  return image;
}

async function compare(pair) {
  try {
    const {evidence} = await post(`${collectionPath(found.collection)}:explain`, {query: {id: pair.firstId}, result: {id: pair.secondId}, options: {enabled: true, correspondences: 24, heatMaps: true}});
    const [first, second] = await Promise.all([pair.firstId, pair.secondId].map((id) => pictureUrl(found.collection, id)));
    openDialog('Why are these the same?', evidenceView(evidence, {url: first, label: pair.firstId}, {url: second, label: pair.secondId}).element, {wide: true});
  } catch (error) {
    page.failed(error);
  }
}

async function remove(group, id) {
  if (!await confirmed('Delete this image?', `${id} goes from the collection ${found.collection}. This cannot be undone.`, 'Delete')) return;
  try {
    await post(`${collectionPath(found.collection)}/images:delete`, {ids: [id]});
    notify(`${id} is deleted.`);
    group.ids = group.ids.filter((one) => one !== id);
    group.pairs = (group.pairs || []).filter((pair) => pair.firstId !== id && pair.secondId !== id);
    found.result.groups = found.result.groups.filter((one) => one.ids.length > 1);
    draw();
  } catch (error) {
    page.failed(error);
  }
}

function groupCard(group) {
  const best = (group.pairs || [])[0];
  return h('li', {class: 'panel group'},
    h('div', {class: 'row'}, h('h3', {}, plural(group.ids.length, 'image')), group.minConfidence > 0 && h('span', {class: 'confidence'}, `at least ${(100 * group.minConfidence).toFixed(0)} % sure`)),
    h('ul', {class: 'side-by-side'}, group.ids.slice(0, 12).map((id) => h('li', {}, picture(id), h('span', {class: 'name', title: id}, id),
      h('button', {class: 'quiet', 'aria-label': `Delete ${id}`, onclick: () => remove(group, id)}, 'Delete'))), group.ids.length > 12 && h('li', {}, `and ${group.ids.length - 12} more`)),
    h('div', {class: 'chips'}, (group.pairs || []).slice(0, 6).map((pair) => h('button', {class: 'chip', onclick: () => compare(pair)},
      `${pair.firstId} and ${pair.secondId}: ${(pair.score || 0).toFixed(3)}${pair.structuralScore !== undefined ? `, patches ${pair.structuralScore.toFixed(3)}` : ''}`))),
    best && h('button', {class: 'why-button', onclick: () => compare(best)}, 'Why the same?'));
}

function draw() {
  const box = $('#groups');
  if (!box || !found || found.collection !== page.collection()) return;
  const {groups = [], images, verifiedPairs, totalGroups} = found.result;
  box.replaceChildren(h('p', {id: 'groups-found'}, `${plural(totalGroups, 'group')} among ${plural(images, 'image')}; ${plural(verifiedPairs, 'pair')} compared patch by patch.`),
    h('ul', {class: 'groups'}, groups.slice(0, found.shown).map(groupCard)),
    groups.length > found.shown ? h('button', {onclick: () => { found.shown += kGroupsAtOnce; draw(); }}, 'More') : '');
}

export function show(app) {
  page = app;
  const number = (id, value, least) => h('input', {id, type: 'number', min: String(least), max: '100', step: '1', value: String(value), class: 'short'});
  app.main.replaceChildren(h('h1', {}, 'Duplicates'),
    h('p', {}, 'Looks for images that show the same thing: near neighbours by descriptor, then verified by their patches. Nothing is deleted by itself.'),
    h('form', {class: 'bar-form panel', onsubmit: find},
      app.confidence() ? field('Least confidence, %', number('least-confidence', 90, 0))
                       : [field('Least score, %', number('least-score', 90, -100)), field('Least structural score, %', number('least-structural', 80, -100))],
      field('Filter', h('input', {id: 'duplicates-filter', type: 'search', spellcheck: 'false'})),
      h('button', {class: 'primary', id: 'find'}, 'Find')),
    h('section', {id: 'groups', 'aria-live': 'polite'}));
  draw();
}
export function collectionChanged() {
  search?.abort();
}
