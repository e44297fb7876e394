// The compare page: one query put to two collections, or to one in two ways; what both find, and what changed first.
// The better one can be given a name that others search by.
import {collectionPath, pictureUrl, post} from './api.js';
import {$, confirmed, field, h, ms, notify, option, percent, plural, preview} from './dom.js';
import {ask, askedBy, clearQuery, drawQuery, query, request, takeFiles} from './query.js';

const kReranks = [['model', 'model’s choice'], ['ot', 'by patches'], ['off', 'not re-ranked']];
const sides = ['left', 'right'];

// Kept while other pages are shown. `collection` empty: the one chosen at the top.
const chosen = {
  left: {collection: '', rerank: 'off'},
  right: {collection: '', rerank: 'ot'}
};
let found = null;  // {left, right} of {collection, rerank, results, total}
let problem = '';  // why there is nothing
let running = null;
let page;

const collectionOf = (side) => chosen[side].collection || page.collection();
const wordsOf = ({collection, rerank}) => `${collection}, ${kReranks.find(([value]) => value === rerank)[1]}`;

async function askOne(side, signal) {
  const {rerank} = chosen[side];
  const collection = collectionOf(side);
  const {results = [], stats} = await ask(collection, request({rerank}), signal);
  return {
    collection,
    rerank,
    results,
    total: stats?.stages?.find((stage) => stage.stage === 'total')?.milliseconds || 0,
    degraded: stats?.degraded
  };
}

async function compare() {
  running?.abort();
  const different = query.parts.find((part) => part.id && sides.some((side) => collectionOf(side) !== part.collection));
  problem = different ?
    `${different.id} is an image of ${different.collection}. Choose that collection on both sides, or drop a photo.` :
    '';
  if (query.parts.length === 0 || different) {
    found = null;
    draw();
    return;
  }
  const controller = running = new AbortController();
  $('#compared')?.setAttribute('aria-busy', 'true');
  try {
    const [left, right] = await Promise.all(sides.map((side) => askOne(side, controller.signal)));
    found = {left, right};
    problem = '';
    draw();
  } catch (error) {
    controller.abort();  // the other one
    if (error.name === 'AbortError') return;
    found = null;
    problem = error.message;
    draw();
    if (error.code === 401) page.failed(error);
  } finally {
    if (running === controller) $('#compared')?.removeAttribute('aria-busy');
  }
}

// What one side finds and the other does not, what has another rank, and what is the same; in each the best first.
function changes({left, right}) {
  const rows = new Map();
  sides.forEach((side, index) => (index ? right : left).results.forEach((result) => {
    rows.set(result.id, {...rows.get(result.id), id: result.id, [side]: result});
  }));
  const kind = (row) => row.left && row.right ? (row.left.rank === row.right.rank ? 2 : 1) : 0;
  const best = (row) => Math.min(row.left?.rank ?? Infinity, row.right?.rank ?? Infinity);
  return [...rows.values()]
    .map((row) => ({...row, kind: kind(row), best: best(row)}))
    .sort((a, b) => a.kind - b.kind || a.best - b.best);
}

function rankCell(result) {
  return result ?
    h('td', {}, h('b', {}, `${result.rank}`),
      ` ${result.confidence !== undefined ? percent(result.confidence) : (result.score || 0).toFixed(3)}`) :
    h('td', {class: 'soft'}, '–');
}

function changeText(row) {
  if (!row.right)
    return [
      'down', `only ${found.left.collection === found.right.collection ? 'left' : `in ${found.left.collection}`}`
    ];
  if (!row.left)
    return [
      'up', `only ${found.left.collection === found.right.collection ? 'right' : `in ${found.right.collection}`}`
    ];
  const moved = row.left.rank - row.right.rank;
  return moved ? [moved > 0 ? 'up' : 'down', `${moved > 0 ? '▲' : '▼'} ${Math.abs(moved)}`] : ['soft', '='];
}

function changeRow(row) {
  const [kind, text] = changeText(row);
  const collection = row.left ? found.left.collection : found.right.collection;
  return h('tr', {'data-id': row.id, 'data-kind': String(row.kind)},
    h('td', {class: 'pictured'}, preview(pictureUrl(collection, row.id), '')), h('td', {class: 'name'}, row.id),
    rankCell(row.left), rankCell(row.right), h('td', {class: kind}, text));
}

function summary({left, right}, rows) {
  const both = rows.filter((row) => row.left && row.right).length;
  const same = rows.filter((row) => row.kind === 2).length;
  const most = Math.max(left.results.length, right.results.length);
  const part = (share, kind) => h('span', {class: `stage ${kind}`, style: {flexGrow: String(share)}});
  return [
    h('div', {class: 'row'}, h('h2', {id: 'overlap'}, `${both} of ${most} results are in both`),
      h('span', {class: 'soft'}, `left ${ms(left.total)}, right ${ms(right.total)} in the server`)),
    h('div', {class: 'overlap', 'aria-hidden': 'true'}, part(same, 'embed'), part(both - same, 'search'),
      part(rows.length - both, 'rest')),
    h('p', {class: 'soft'},
      `${same} at the same rank, ${both - same} at another, ${rows.length - both} on one side only.`,
      (left.degraded || right.degraded) &&
        h('span', {class: 'warning'}, ' An answer was degraded: the Search page says why.'))
  ];
}

// "shop" may stand for shop-2 from now on.
function aliasForm() {
  const collections = [...new Set([found.left.collection, found.right.collection])];
  const aliases =
    page.collections.flatMap((one) => (one.aliases || []).map((alias) => ({alias, collection: one.name})));
  const name = h('input', {
    id: 'alias',
    list: 'aliases',
    placeholder: 'shop',
    pattern: '[a-z0-9][a-z0-9_\\-]*',
    maxlength: '64',
    required: true,
    spellcheck: 'false',
    autocomplete: 'off'
  });
  const target = h('select', {id: 'alias-target'}, collections.map((one) => option(one, one, found.right.collection)));
  const point = async (event) => {
    event.preventDefault();
    const alias = name.value.trim();
    const to = target.value;
    const before = aliases.find((one) => one.alias === alias)?.collection;
    if (before === to) {
      notify(`${alias} stands for ${to} already.`);
      return;
    }
    const what = before ? `${alias} stands for ${before} now, and for ${to} from then on` :
                          `${alias} is new, and stands for ${to} from then on`;
    if (!await confirmed(`Point ${alias} at ${to}?`,
          `${what}: every search by that name, of everybody and at once. Pointing it back is as quick.`,
          `Point it at ${to}`, 'primary'))
      return;
    try {
      await post(`/v1/aliases/${encodeURIComponent(alias)}:set`, {collection: to});
      await page.refresh();
      notify(`${alias} stands for ${to}.`);
      draw();
    } catch (error) {
      page.failed(error);
    }
  };
  return h('form', {class: 'row alias', onsubmit: point}, h('label', {class: 'row'}, 'Point the alias ', name),
    h('datalist', {id: 'aliases'},
      aliases.map(({alias, collection}) => h('option', {value: alias}, `now ${collection}`))),
    h('label', {class: 'row'}, ' at ', target), h('button', {id: 'point'}, 'Point …'),
    h('a', {class: 'soft', href: '#index'}, 'What stands for what'));
}

function draw() {
  const box = $('#compared');
  if (!box) return;
  if (!found) {
    box.replaceChildren(problem ?
        h('p', {class: 'warning', role: 'status'}, problem) :
        h('p', {class: 'empty'},
          'Drop a photo: what both sides find, and where they differ, stands here. Change one side at a time: ',
          'another collection, as after ', h('code', {}, 'sightline reembed'), ', or another way to rank.'));
    return;
  }
  const rows = changes(found);
  box.replaceChildren(...summary(found, rows), aliasForm(),
    rows.length ?
      h('table', {class: 'changes'},
        h('thead', {},
          h('tr', {}, [[''], ['Image'], ['Left', wordsOf(found.left)], ['Right', wordsOf(found.right)],
            ['Change']].map(([text,
            more]) => h('th', {scope: 'col'}, text, more && h('span', {class: 'word'}, `: ${more}`))))),
        h('tbody', {}, rows.map(changeRow))) :
      h('p', {}, 'Neither finds anything. Loosen the filter on the Search page.'));
}

function side(name, title) {
  const set = (what) => (event) => {
    chosen[name][what] = event.target.value;
    compare();
  };
  return h('fieldset', {}, h('legend', {}, title),
    field('Collection',
      h('select', {id: `${name}-collection`, onchange: set('collection')},
        page.collections.map((one) => option(one.name, one.name, collectionOf(name))))),
    field('Ranking', h('select', {id: `${name}-rerank`, onchange: set('rerank')}, kReranks.map(([value,
      text]) => option(value, text, chosen[name].rerank)))));
}

export function show(app) {
  page = app;
  for (const name of sides)
    if (!page.collections.some((one) => one.name === chosen[name].collection)) chosen[name].collection = '';
  askedBy(compare);
  app.main.replaceChildren(h('div', {class: 'search-page'},
    h('aside', {}, h('h1', {}, 'Compare'), h('div', {id: 'query'}),
      h('div', {class: 'two'}, side('left', 'Left'), side('right', 'Right')),
      query.filter ? h('p', {class: 'hint'}, `Filter of the Search page: ${query.filter}`) : ''),
    h('section', {id: 'compared', 'aria-label': 'What changed'})));
  drawQuery();
  found = null;
  draw();
  compare();
}
export function clear() {
  running?.abort();
  clearQuery();
  found = null;
  draw();
}
export const leave = () => running?.abort();
export const drop = (transfer) => takeFiles(transfer.files);
