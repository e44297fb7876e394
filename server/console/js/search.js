// The search page: a query of photos, indexed images and crops; its ranked answer; why the best one matches.
import {$, attributeText, clearErrors, confirmed, field, h, notify, openDialog} from './dom.js';
import {collectionPath, pictureUrl, post} from './api.js';
import {CropView} from './crop.js';
import {evidenceView} from './evidence.js';
import {ribbon} from './ribbon.js';
import {showSnippets} from './copyas.js';

const kExplained = 5;  // results whose evidence comes with the answer; that of others is asked for
const kPairs = 24;
const kMaxParts = 4;

// Kept while other pages are shown.
const query = {parts: [], filter: '', topK: 20, rerank: 'model', exact: false, least: '', groupBy: ''};
let answer = null;
let running = null;
let page;

const typeOk = (file) => ['image/jpeg', 'image/png', 'image/webp', ''].includes(file.type);

export function addPhoto(file) {
  if (!typeOk(file)) {
    notify(`${file.name || 'That'} is ${file.type || 'no image'}; a query is a JPEG, PNG or WebP photo. Choose another file.`, 'error');
    return;
  }
  const part = {file, name: file.name, url: URL.createObjectURL(file), weight: 1};
  part.view = new CropView(part.url, {alt: `The query photo ${file.name || ''}`, changed: search});
  addPart(part);
}

async function addImage(id) {
  const part = {id, url: await pictureUrl(page.collection(), id), weight: 1};
  part.element = h('div', {class: 'crop'}, h('img', {src: part.url, alt: `The indexed image ${id}`}));
  addPart(part);
}

function addPart(part) {
  const second = $('#add-part')?.checked && query.parts.length < kMaxParts;
  if (!second) clearParts();
  query.parts.push(part);
  if ($('#add-part')) $('#add-part').checked = false;
  drawQuery();
  search();
}

function clearParts() {
  for (const part of query.parts) if (part.file) URL.revokeObjectURL(part.url);
  query.parts = [];
}

export function clear() {
  running?.abort();
  clearParts();
  answer = null;
  drawQuery();
  drawAnswer();
}

function request() {
  const request = {topK: Number(query.topK), returnAttributes: true, rerank: {},
    query: {parts: query.parts.map((part) => ({...(part.id ? {id: part.id} : {}), ...(part.weight === 1 ? {} : {weight: part.weight}),
      ...(part.view?.crops().length ? {crops: part.view.crops()} : {})}))}};
  if (query.filter.trim()) request.filter = query.filter.trim();
  if (query.groupBy.trim()) request.groupBy = query.groupBy.trim();
  if (query.exact) request.exact = true;
  if (query.rerank === 'off') request.rerank.method = 'METHOD_OFF';
  if (query.rerank === 'ot') request.rerank.method = 'METHOD_OPTIMAL_TRANSPORT';
  if (query.least !== '') request[page.confidence() ? 'minConfidence' : 'minScore'] = Number(query.least) / 100;
  return request;
}

const files = () => query.parts.flatMap((part, index) => (part.file ? [[`query.parts[${index}].image`, part.file]] : []));

async function search() {
  if (query.parts.length === 0) return;
  const collection = page.collection();
  if (!collection) {
    notify('There is no collection to search. Make one on the Ingest page.', 'error');
    return;
  }
  running?.abort();
  const controller = running = new AbortController();
  $('#answer')?.setAttribute('aria-busy', 'true');
  const began = performance.now();
  const asked = request();
  try {
    const reply = await post(`${collectionPath(collection)}:search`,
      {...asked, explain: {enabled: true, correspondences: kPairs, heatMaps: true, results: kExplained}}, files(), controller.signal);
    answer = {...reply, collection, asked, roundTrip: performance.now() - began};
    clearErrors();
    drawAnswer();
  } catch (error) {
    if (error.name === 'AbortError') return;
    page.failed(error);
  } finally {
    if (running === controller) $('#answer')?.removeAttribute('aria-busy');
  }
}

let timer;
const soon = () => { clearTimeout(timer); timer = setTimeout(search, 350); };

function drawQuery() {
  const box = $('#query');
  if (!box) return;
  const input = h('input', {type: 'file', accept: 'image/jpeg,image/png,image/webp', id: 'photo', class: 'hidden',
    onchange: () => { for (const file of input.files) addPhoto(file); input.value = ''; }});
  const shown = query.parts.map((part, index) => h('div', {class: 'part'}, part.view?.element || part.element,
    h('div', {class: 'row'}, h('span', {class: 'name'}, part.id || part.name || 'pasted photo'),
      query.parts.length > 1 && h('label', {}, 'weight ', h('input', {type: 'number', step: '0.25', min: '-2', max: '4', value: String(part.weight), class: 'short',
        onchange: (event) => { part.weight = Number(event.target.value) || 0; search(); }})),
      h('button', {class: 'quiet', 'aria-label': `Take ${part.id || part.name || 'the photo'} out of the query`, onclick: () => { query.parts.splice(index, 1); if (query.parts.length) { drawQuery(); search(); } else clear(); }}, '×'))));
  box.replaceChildren(
    h('button', {id: 'drop', class: shown.length ? 'drop small' : 'drop', onclick: () => input.click()},
      h('strong', {}, shown.length ? 'Another photo' : 'Drop, paste or choose a photo'),
      shown.length ? null : h('span', {}, 'JPEG, PNG or WebP. It is compared with the collection and not kept.')),
    input, ...shown,
    ...(shown.length ? [h('p', {class: 'hint'}, 'Drag the box to look at a part; Shift and drag for a second one; double-click for the whole photo.'),
      h('label', {class: 'row'}, h('input', {type: 'checkbox', id: 'add-part'}), 'Add the next photo to this one')] : []));
}

function drawBar() {
  const set = (name, convert = (input) => input.value) => (event) => { query[name] = convert(event.target); soon(); };
  return h('form', {class: 'bar-form', onsubmit: (event) => { event.preventDefault(); search(); }},
    field('Filter', h('input', {id: 'filter', type: 'search', value: query.filter, placeholder: 'brand = "acme" AND price < 100', spellcheck: 'false', oninput: set('filter')})),
    field('Results', h('input', {id: 'top-k', type: 'number', min: '1', max: '1000', value: String(query.topK), class: 'short', oninput: set('topK', (input) => Math.min(1000, Math.max(1, Number(input.value) || 10)))})),
    field('Re-rank by patches', h('select', {id: 'rerank', onchange: set('rerank')},
      [['model', 'as the model has it'], ['ot', 'on'], ['off', 'off']].map(([value, text]) => h('option', {value, selected: query.rerank === value}, text)))),
    field(page.confidence() ? 'Least confidence, %' : 'Least score, %', h('input', {id: 'least', type: 'number', min: page.confidence() ? '0' : '-100', max: '100', value: query.least, class: 'short', oninput: set('least')})),
    field('Group by', h('input', {id: 'group-by', value: query.groupBy, placeholder: 'attribute', class: 'short', oninput: set('groupBy')})),
    h('label', {class: 'row'}, h('input', {type: 'checkbox', id: 'exact', checked: query.exact, onchange: set('exact', (input) => input.checked)}), 'Exact'));
}

const percent = (value) => `${(100 * value).toFixed(0)} %`;

function card(result, picture) {
  const moved = result.rankBeforeRerank ? result.rankBeforeRerank - result.rank : 0;
  const attributes = Object.entries(result.attributes || {});
  return h('li', {class: 'card', tabindex: '0', 'data-id': result.id, 'aria-label': `Rank ${result.rank}: ${result.id}, score ${(result.score || 0).toFixed(3)}`,
    onkeydown: (event) => {
      if (event.key !== 'Enter' || event.target !== event.currentTarget) return;
      event.preventDefault();  // or the dialog's first button takes it
      why(result);
    }},
    h('button', {class: 'thumb', 'aria-label': `Why ${result.id}?`, tabindex: '-1', onclick: () => why(result)}, picture),
    h('div', {class: 'about'},
      h('div', {class: 'row'}, h('b', {}, `${result.rank}`),
        result.confidence !== undefined && h('span', {class: 'confidence', title: 'confidence'}, percent(result.confidence)),
        h('span', {title: 'score: the cosine of the descriptors'}, (result.score || 0).toFixed(3)),
        result.structuralScore !== undefined && h('span', {class: 'soft', title: 'structural score: of the patches'}, `+ ${result.structuralScore.toFixed(3)}`),
        moved !== 0 && h('span', {class: moved > 0 ? 'up' : 'down', title: `rank ${result.rankBeforeRerank} before re-ranking`}, `${moved > 0 ? '▲' : '▼'} ${Math.abs(moved)}`)),
      h('div', {class: 'name', title: result.id}, result.id),
      attributes.length > 0 && h('div', {class: 'chips'}, attributes.slice(0, 4).map(([key, value]) => h('button', {class: 'chip', title: `Only ${key} = ${attributeText(value)}`, onclick: () => addFilter(key, value)}, `${key}: ${attributeText(value)}`))),
      h('div', {class: 'row actions'},
        h('button', {class: 'why-button', onclick: () => why(result)}, 'Why this?'),
        h('button', {class: 'quiet', onclick: () => addImage(result.id)}, 'Search with this'),
        h('button', {class: 'quiet', 'aria-label': `Delete ${result.id}`, onclick: () => remove(result)}, 'Delete'))));
}

function addFilter(key, value) {
  const text = value.stringValue !== undefined ? JSON.stringify(value.stringValue) : attributeText(value);
  const term = `${key} = ${text}`;
  if (query.filter.includes(term)) return;
  query.filter = query.filter ? `(${query.filter}) AND ${term}` : term;
  if ($('#filter')) $('#filter').value = query.filter;
  search();
}

function pictureOf(id, label) {
  const image = h('img', {alt: label, loading: 'lazy'});
  pictureUrl(answer.collection, id).then((url) => { image.src = url; }).catch(() => {});
  image.onerror = () => image.replaceWith(h('span', {class: 'no-picture'}, 'no preview'));
  return image;
}

async function remove(result) {
  if (!await confirmed('Delete this image?', `${result.id} goes from the collection ${answer.collection}, and its records with it. This cannot be undone.`, 'Delete')) return;
  try {
    await post(`${collectionPath(answer.collection)}/images:delete`, {ids: [result.id]});
    notify(`${result.id} is deleted.`);
    search();
  } catch (error) {
    page.failed(error);
  }
}

// The picture of the query that a result's evidence is about.
function querySide(evidence) {
  const part = query.parts[evidence.queryPart || 0] || query.parts[0];
  return {url: part.url, label: `Query: ${part.id || part.name || 'pasted photo'}`};
}

async function evidenceOf(result) {
  if (result.evidence) return result.evidence;
  const part = query.parts[0];
  const crop = part.view?.crops()[0];
  const reply = await post(`${collectionPath(answer.collection)}:explain`,
    {query: {...(part.id ? {id: part.id} : {}), ...(crop ? {crop} : {})}, result: {id: result.id}, rerank: answer.asked.rerank.method === 'METHOD_OFF' ? {} : answer.asked.rerank,
      options: {enabled: true, correspondences: kPairs, heatMaps: true}}, part.file ? [['query.image', part.file]] : []);
  return reply.evidence;
}

async function view(result) {
  const evidence = await evidenceOf(result);
  if (!evidence?.correspondences?.length) return {element: h('p', {}, 'No patches of the two were matched: this result is here for its descriptor alone, or the collection keeps no patch tokens.'), ready: Promise.resolve()};
  return evidenceView(evidence, querySide(evidence), {url: await pictureUrl(answer.collection, result.id), label: `Result: ${result.id}`});
}

async function why(result) {
  try {
    const {element} = await view(result);
    openDialog(`Why ${result.id}?`, element, {wide: true});
  } catch (error) {
    page.failed(error);
  }
}

async function drawAnswer() {
  const box = $('#answer');
  if (!box) return;
  if (!answer) {
    box.replaceChildren();
    return;
  }
  const results = answer.results || [];
  const tools = h('div', {class: 'row'}, h('h2', {}, results.length ? `${results.length} results` : 'Nothing found'),
    h('button', {class: 'quiet', onclick: () => showSnippets({collection: answer.collection, request: answer.asked,
      parts: query.parts.map((part) => ({id: part.id, name: part.name, crops: part.view?.crops()}))})}, 'Copy as …'),
    h('button', {class: 'quiet', onclick: clear}, 'Clear'));
  const best = h('section', {id: 'best', 'aria-label': 'Why the best result matches'});
  const cards = results.map((result) => card(result, pictureOf(result.id, `Preview of ${result.id}`)));
  const grid = h('ol', {class: 'grid', id: 'results', onkeydown: (event) => walk(event, cards)}, cards);
  box.replaceChildren(tools, ribbon(answer.stats || {}, answer.roundTrip), best, grid,
    results.length ? '' : h('p', {}, 'No image of the collection satisfies the filter and the least score. Loosen them, or search another collection.'));
  if (!results.length) return;
  try {
    const shown = answer;
    const {element, ready} = await view(results[0]);
    if (shown !== answer) return;
    best.replaceChildren(h('h3', {}, `Why ${results[0].id}?`), element);
    await ready;
    best.dataset.ready = 'true';
  } catch (error) {
    page.failed(error);
  }
}

function walk(event, cards) {
  const at = cards.indexOf(document.activeElement);
  if (at < 0) return;
  const columns = Math.max(1, cards.filter((one) => one.offsetTop === cards[0].offsetTop).length);
  const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns}[event.key];
  if (!step) return;
  event.preventDefault();
  cards[Math.min(cards.length - 1, Math.max(0, at + step))].focus();
}

export function show(app) {
  page = app;
  app.main.replaceChildren(h('div', {class: 'search-page'},
    h('aside', {}, h('h1', {}, 'Search'), h('div', {id: 'query'}), drawBar()),
    h('section', {id: 'answer', 'aria-label': 'Answer'})));
  drawQuery();
  if (answer && answer.collection === page.collection()) drawAnswer(); else if (query.parts.length) search();
}

export function collectionChanged() {
  query.parts = query.parts.filter((part) => part.file);
  answer = null;
}

export function drop(transfer) {
  const [file] = [...transfer.files];
  if (file) addPhoto(file);
}
