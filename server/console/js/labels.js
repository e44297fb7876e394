// Labels: which results somebody has called the same item as the query, or not a match. They are kept in this browser
// until they are downloaded, as the tables that `sightline evaluate` and `sightline confidence fit` read. The server
// never sees them.
import {confirmed, download, h, notify, openDialog, plural, table} from './dom.js';
import {browser} from './store.js';

const kStore = 'sightline-labels';
const kMost = 10_000;
const kListed = 50;

const keyOf = (one) => JSON.stringify(
  [one.collection, one.subject.id ?? null, one.subject.name ?? null, one.subject.box ?? null, one.result]);

// By what they are about, the last one last.
function load() {
  try {
    return new Map(JSON.parse(browser.get(kStore) || '[]').map((one) => [keyOf(one), one]));
  } catch {
    return new Map();  // somebody else's
  }
}
let labels = load();
addEventListener('storage', (event) => {  // another tab's
  if (event.key === kStore || event.key === null) labels = load();
});
const of = (collection) => [...labels.values()].filter((one) => one.collection === collection);
const nameOf = (one) => one.subject.id ?? one.subject.name;

function save(changed) {
  if (!browser.set(kStore, JSON.stringify([...changed.values()]))) {
    notify('This browser has no room for more labels, or keeps none for this page. Download them, then forget them.',
      'error');
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
  return {
    name: part.name,
    ...(crop && width ? {box: [crop.x0 * width, crop.y0 * height, crop.x1 * width, crop.y1 * height].map(Math.round)} :
                        {})
  };
}

// true, false, or undefined where nobody has said.
export const labelOf = (collection, subject, result) =>
  subject && labels.get(keyOf({collection, subject, result}))?.same;

// `same` undefined takes the label back.
export function setLabel(collection, subject, result, same) {
  const one = {collection, subject, result, same};
  const changed = new Map(labels);
  changed.delete(keyOf(one));
  if (same !== undefined) {
    if (changed.size >= kMost) {
      notify(`There are ${plural(kMost, 'label')}, the most that are kept. Download them, then forget them.`, 'error');
      return;
    }
    changed.set(keyOf(one), one);
  }
  save(changed);
}

export const labelCount = (collection) => of(collection).length;

const csvField = (value) => /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
const csv = (rows) => rows.map((row) => row.map((value) => csvField(String(value))).join(',') + '\n').join('');

// For `sightline evaluate`: right images of each query. A query has one box there, so that of its last label counts.
export function relevanceTable(mine) {
  const boxOf = (one) => JSON.stringify(one.subject.box);
  const boxes = new Map(mine.map((one) => [nameOf(one), boxOf(one)]));
  const right = mine.filter((one) => one.same && boxes.get(nameOf(one)) === boxOf(one) && nameOf(one) !== one.result);
  const rows = right.map((one) => [nameOf(one), one.result, 'easy', ...(one.subject.box || ['', '', '', ''])]);
  return {rows: right.length, text: csv([['query', 'image', 'relevance', 'x0', 'y0', 'x1', 'y1'], ...rows])};
}

// For `sightline confidence fit`: pairs of indexed images, of both kinds.
export function pairTable(mine) {
  const pairs = mine.filter((one) => one.subject.id !== undefined && one.subject.id !== one.result);
  return {
    rows: pairs.length,
    text: csv([['first_id', 'second_id', 'same'], ...pairs.map((one) => [one.subject.id, one.result, one.same])])
  };
}

// What is downloaded, what it holds, and what reads it.
function tablePanel(name, {rows, text}, what, command) {
  const get = () => download(name, text, 'text/csv');
  return h('div', {class: 'panel'},
    h('div', {class: 'row'}, h('h3', {}, name),
      h('button', {class: 'primary', disabled: rows === 0, 'data-file': name, onclick: get}, 'Download')),
    h('p', {}, `${plural(rows, 'line')}: ${what}`), h('pre', {}, command));
}

export function showLabels(collection, changed) {
  const mine = of(collection);
  const same = mine.filter((one) => one.same).length;
  const takeBack = (one) => {
    setLabel(one.collection, one.subject, one.result, undefined);
    changed();
    showLabels(collection, changed);
  };
  const forget = async () => {
    const what = `${plural(mine.length, 'label')} of ${collection} are in this browser alone. This cannot be undone.`;
    if (!await confirmed('Forget these labels?', what, 'Forget them')) return;
    save(new Map([...labels].filter(([, one]) => one.collection !== collection)));
    changed();
  };
  const row = (one) => {
    const button = {class: 'quiet', 'aria-label': `Take back ${one.result}`, onclick: () => takeBack(one)};
    return [nameOf(one), one.result, one.same ? 'same' : 'not', h('button', button, '×')];
  };
  const list = h('details', {}, h('summary', {}, 'All of them'),
    mine.length > kListed && h('p', {class: 'soft'}, `The last ${kListed}.`),
    table(['Query', 'Image', '', ''], mine.slice(-kListed).reverse().map(row)));
  openDialog(`Labels of ${collection}`,
    [
      h('p', {id: 'label-counts'},
        `${plural(same, 'time')} the same item, ${plural(mine.length - same, 'time')} not a match. `,
        'They are in this browser alone, with the names of the photos.'),
      tablePanel('relevance.csv', relevanceTable(mine),
        'for each query, the images that show the same item; all others count as wrong.',
        'sightline evaluate relevance.csv --images FOLDER'),
      tablePanel('pairs.csv', pairTable(mine),
        'pairs of indexed images, which “Search with this” and a label make. 20 of each kind are needed.',
        `sightline confidence fit --collection ${collection} --pairs pairs.csv`),
      ...(mine.length ? [list] : []),
      h('div', {class: 'row end'}, h('button', {disabled: mine.length === 0, onclick: forget}, 'Forget them')),
    ],
    {wide: true});
}

// The two buttons below a result.
export function labelButtons(collection, subject, result, changed) {
  const off = subject ? null : 'A label needs a query of one photo with a name of its own, and one box at most';
  const buttons = [[true, '✓', 'Same', 'The same item'], [false, '✕', 'Not', 'Not a match']].map(
    ([same, sign, word, title]) => h('button', {
      class: 'quiet',
      'data-same': String(same),
      'aria-label': `${title}: ${result}`,
      title: off || title,
      disabled: Boolean(off),
      onclick: () => {
        setLabel(collection, subject, result, labelOf(collection, subject, result) === same ? undefined : same);
        draw();
        changed();
      }
    },
      sign, h('span', {class: 'word'}, ` ${word}`)));
  const draw = () => buttons.forEach((one) => one.setAttribute('aria-pressed',
                                       String(String(labelOf(collection, subject, result)) === one.dataset.same)));
  draw();
  return h('span', {class: 'labels', role: 'group', 'aria-label': 'Is it the same item?'}, buttons);
}
