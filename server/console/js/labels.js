// Labels: which results somebody has called the same item as the query, or not a match. They are kept in this browser
// until they are downloaded, as the tables that `sightline evaluate` and `sightline confidence fit` read. The server
// never sees them.
import {confirmed, download, h, notify, openDialog, plural, table} from './dom.js';
import {browser} from './store.js';

const kStore = 'sightline-labels';
const kMost = 10_000;
const kListed = 50;

function load() {
  try {
    const all = JSON.parse(browser.get(kStore) || '[]');
    return Array.isArray(all) ? all : [];
  } catch {
    return [];  // somebody else's
  }
}
let labels = load();
addEventListener('storage', (event) => { if (event.key === kStore || event.key === null) labels = load(); });  // another tab's

function save(changed) {
  if (!browser.set(kStore, JSON.stringify(changed))) {
    notify('This browser has no room for more labels, or keeps none for this page. Download those there are, then forget them.', 'error');
    return;
  }
  labels = changed;
}

// What a label of this query says it is about: {id} or {name, box in pixels}; null for a query that no table can name.
export function subjectOf(parts) {
  if (parts.length !== 1) return null;
  const [part] = parts;
  if (part.id) return {id: part.id};
  const crops = part.view?.crops() || [];
  if (!part.name || crops.length > 1) return null;
  const {naturalWidth: width, naturalHeight: height} = part.view?.image || {};
  const [crop] = crops;
  return {name: part.name, ...(crop && width ? {box: [crop.x0 * width, crop.y0 * height, crop.x1 * width, crop.y1 * height].map(Math.round)} : {})};
}

const keyOf = (one) => JSON.stringify([one.collection, one.subject.id ?? null, one.subject.name ?? null, one.subject.box ?? null, one.result]);

// true, false, or undefined where nobody has said.
export function labelOf(collection, subject, result) {
  const key = subject && keyOf({collection, subject, result});
  return key ? labels.find((one) => keyOf(one) === key)?.same : undefined;
}

// `same` undefined takes the label back.
export function setLabel(collection, subject, result, same) {
  const one = {collection, subject, result, same};
  const others = labels.filter((other) => keyOf(other) !== keyOf(one));
  if (same !== undefined && others.length >= kMost) {
    notify(`There are ${plural(kMost, 'label')}, the most that are kept. Download them, then forget them.`, 'error');
    return;
  }
  save(same === undefined ? others : [...others, one]);
}

export const labelCount = (collection) => labels.filter((one) => one.collection === collection).length;

const csvField = (value) => /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
const csv = (rows) => rows.map((row) => row.map((value) => csvField(String(value))).join(',') + '\n').join('');

// For `sightline evaluate`: right images of each query. A query has one box there, so that of its last label counts.
export function relevanceTable(mine) {
  const boxes = new Map(mine.map((one) => [one.subject.id ?? one.subject.name, JSON.stringify(one.subject.box)]));
  const right = mine.filter((one) => one.same && boxes.get(one.subject.id ?? one.subject.name) === JSON.stringify(one.subject.box)
    && (one.subject.id ?? one.subject.name) !== one.result);
  return {rows: right.length, text: csv([['query', 'image', 'relevance', 'x0', 'y0', 'x1', 'y1'],
    ...right.map((one) => [one.subject.id ?? one.subject.name, one.result, 'easy', ...(one.subject.box || ['', '', '', ''])])])};
}

// For `sightline confidence fit`: pairs of indexed images, of both kinds.
export function pairTable(mine) {
  const pairs = mine.filter((one) => one.subject.id !== undefined && one.subject.id !== one.result);
  return {rows: pairs.length, text: csv([['first_id', 'second_id', 'same'], ...pairs.map((one) => [one.subject.id, one.result, one.same])])};
}

export function showLabels(collection, changed) {
  const mine = labels.filter((one) => one.collection === collection);
  const same = mine.filter((one) => one.same).length;
  const again = () => { changed(); showLabels(collection, changed); };
  const evaluate = relevanceTable(mine);
  const pairs = pairTable(mine);
  const kind = (made, name, what, command) => h('div', {class: 'panel'},
    h('div', {class: 'row'}, h('h3', {}, name), h('button', {class: 'primary', disabled: made.rows === 0, 'data-file': name, onclick: () => download(name, made.text, 'text/csv')}, 'Download')),
    h('p', {}, `${plural(made.rows, 'line')}: ${what}`), h('pre', {}, command));
  openDialog(`Labels of ${collection}`, [
    h('p', {id: 'label-counts'}, `${plural(same, 'time')} the same item, ${plural(mine.length - same, 'time')} not a match. They are in this browser alone, with the names of the photos.`),
    kind(evaluate, 'relevance.csv', 'for each query, the images that show the same item; all others count as wrong.', 'sightline evaluate relevance.csv --images FOLDER'),
    kind(pairs, 'pairs.csv', 'pairs of indexed images, which “Search with this” and a label make. 20 of each kind are needed.', `sightline confidence fit --collection ${collection} --pairs pairs.csv`),
    mine.length ? h('details', {}, h('summary', {}, 'All of them'), mine.length > kListed && h('p', {class: 'soft'}, `The last ${kListed}.`),
      table(['Query', 'Image', '', ''], mine.slice(-kListed).reverse().map((one) => [one.subject.id ?? one.subject.name, one.result, one.same ? 'same' : 'not',
        h('button', {class: 'quiet', 'aria-label': `Take back ${one.result}`, onclick: () => { setLabel(one.collection, one.subject, one.result, undefined); again(); }}, '×')]))) : null,
    h('div', {class: 'row end'}, h('button', {disabled: mine.length === 0, onclick: async () => {
      if (!await confirmed('Forget these labels?', `${plural(mine.length, 'label')} of ${collection} are in this browser alone. This cannot be undone.`, 'Forget them')) return;
      save(labels.filter((one) => one.collection !== collection));
      changed();
    }}, 'Forget them'))].filter(Boolean), {wide: true});
}

// The two buttons below a result.
export function labelButtons(collection, subject, result, changed) {
  const off = subject ? null : 'A label needs a query of one photo with a name of its own, and one box at most';
  const buttons = [[true, '✓', 'Same', 'The same item'], [false, '✕', 'Not', 'Not a match']].map(([same, sign, word, title]) =>
    h('button', {class: 'quiet', 'data-same': String(same), 'aria-label': `${title}: ${result}`, title: off || title, disabled: Boolean(off),
      onclick: () => { setLabel(collection, subject, result, labelOf(collection, subject, result) === same ? undefined : same); draw(); changed(); }}, sign, h('span', {class: 'word'}, ` ${word}`)));
  const draw = () => buttons.forEach((one) => one.setAttribute('aria-pressed', String(String(labelOf(collection, subject, result)) === one.dataset.same)));
  draw();
  return h('span', {class: 'labels', role: 'group', 'aria-label': 'Is it the same item?'}, buttons);
}
