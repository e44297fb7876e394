// The search page: the query's bar, its ranked answer, and why the best one matches.
import {collectionPath, post} from './api.js';
import {showSnippets} from './copyas.js';
import {$, clearErrors, confirmed, field, h, notify, option, percent, plural} from './dom.js';
import {both, suggestions} from './filter.js';
import {labelCount, showLabels, subjectOf} from './labels.js';
import {addImage, ask, askedBy, clearQuery, drawQuery, keepPhotosOnly, query, request, takeFiles} from './query.js';
import {addGroupBadges, card, confidenceOf, kPairs, walk, why, whyView} from './results.js';
import {ribbon} from './ribbon.js';
import {withSuggestions} from './suggest.js';

const kExplained = 5;      // results whose evidence comes with the answer; that of others is asked for
const kBestHeight = 0.36;  // of the window, for the best result's evidence: the results are to be seen, too
const kMaxResults = 1000;

let answer = null;  // kept while other pages are shown
let running = null;
let timer;
let page;

export function clear() {
  clearTimeout(timer);
  running?.abort();
  clearQuery();
  answer = null;
  drawAnswer();
}

async function search() {
  clearTimeout(timer);
  running?.abort();
  if (query.parts.length === 0) {
    answer = null;
    drawAnswer();
    return;
  }
  const collection = page.collection();
  if (!collection) {
    notify('There is no collection to search. Make one on the Ingest page.', 'error');
    return;
  }
  const controller = running = new AbortController();
  $('#answer')?.setAttribute('aria-busy', 'true');
  const began = performance.now();
  const asked = request();
  const parts = [...query.parts];
  const subject = subjectOf(parts);  // crops may move while it is asked
  const {tokenSpace} = page.about(collection);
  try {
    const reply = await ask(collection,
      {...asked, explain: {enabled: Boolean(tokenSpace), correspondences: kPairs, heatMaps: true, results: kExplained}},
      controller.signal);
    answer = {
      ...reply,
      collection,
      asked,
      parts,
      subject,
      tokens: Boolean(tokenSpace),
      confident: (reply.results || []).some((one) => one.confidence !== undefined),
      roundTrip: performance.now() - began
    };
    clearErrors();
    filterProblem('');
    drawAnswer();
  } catch (error) {
    if (error.name === 'AbortError') return;
    // What is on screen is no answer to this query.
    if (answer && !(answer.parts.length === parts.length && answer.parts.every((one, index) => one === parts[index]))) {
      answer = null;
      drawAnswer();
    }
    if (/FILTER/.test(error.reason))
      filterProblem(error.message);
    else
      page.failed(error);
  } finally {
    if (running === controller) $('#answer')?.removeAttribute('aria-busy');
  }
}

const soon = () => {
  clearTimeout(timer);
  timer = setTimeout(search, 350);
};

function filterProblem(text) {
  const box = $('#filter-problem');
  if (!box) return;
  box.textContent = text;
  $('#filter').setAttribute('aria-invalid', String(text !== ''));
}

function setFilter(text) {
  query.filter = text;
  if ($('#filter')) $('#filter').value = text;
  search();
}

function drawBar() {
  const set = (name, convert = (input) => input.value) => (event) => {
    query[name] = convert(event.target);
    soon();
  };
  const filter = h('input', {
    id: 'filter',
    type: 'search',
    value: query.filter,
    placeholder: 'brand = "acme" AND price < 100',
    spellcheck: 'false',
    'aria-describedby': 'filter-problem',
    oninput: set('filter')
  });
  return h('form', {
    onsubmit: (event) => {
      event.preventDefault();
      search();
    }
  },
    h('div', {class: 'bar-form'},
      field('Filter',
        withSuggestions(filter, (before) => suggestions(page.collection(), before),
          () => {
            query.filter = filter.value;
            soon();
          }),
        h('span', {id: 'filter-problem', role: 'status'})),
      h('div', {class: 'field least'},
        h('label', {'for': 'least'}, h('span', {id: 'least-name'}), ' ',
          h('output', {id: 'least-value', 'for': 'least'})),
        h('input', {
          id: 'least',
          type: 'range',
          min: '0',
          max: '1',
          step: '0.01',
          value: String(query.least),
          oninput: (event) => {
            query.least = Number(event.target.value);
            showEnough();
          }
        }),
        h('small', {id: 'staying', role: 'status'}))),
    h('details', {class: 'options', open: matchMedia('(min-width: 801px)').matches}, h('summary', {}, 'How to search'),
      h('div', {class: 'bar-form'}, field('Results', h('input', {
        id: 'top-k',
        type: 'number',
        min: '1',
        max: String(kMaxResults),
        value: String(query.topK),
        oninput: set('topK', (input) => Math.min(kMaxResults, Math.max(1, Math.trunc(Number(input.value)) || 10)))
      })),
        field('Re-rank by patches',
          h('select', {id: 'rerank', onchange: set('rerank')}, option('model', 'model’s choice', query.rerank),
            option('ot', 'on', query.rerank), option('off', 'off', query.rerank))),
        field('Group by', h('input', {
          id: 'group-by',
          value: query.groupBy,
          placeholder: 'an attribute',
          spellcheck: 'false',
          oninput: set('groupBy')
        })),
        h('label', {class: 'check', title: 'Compare every image, whatever index there is'},
          h('input',
            {type: 'checkbox', id: 'exact', checked: query.exact, onchange: set('exact', (input) => input.checked)}),
          'Exact'))));
}

const enough = (result) => query.least <= 0 || confidenceOf(answer, result) >= query.least;

// Whether matches have calibrated confidences: as the answer has it, which may know better than the page's beginning.
const confident = () => answer?.results?.length ? answer.confident : Boolean(page.about().confidence);

// Shows what is above the least confidence: at once, since the answer is here.
function showEnough() {
  const value = $('#least-value');
  if (!value) return;
  value.textContent = query.least > 0 ? (confident() ? percent(query.least) : query.least.toFixed(2)) : 'any';
  $('#least-name').textContent = confident() ? 'Least confidence' : 'Least score';
  const results = answer?.results || [];
  const staying = answer ? results.filter(enough).length : 0;
  $('#staying').textContent = results.length && query.least > 0 ? `${staying} of ${results.length} stay` : '';
  [...document.querySelectorAll('#results .card')].forEach((one, index) => {
    one.hidden = !enough(results[index]);
  });
  if ($('#answer-title')) $('#answer-title').textContent = staying ? plural(staying, 'result') : 'Nothing found';
  if ($('#best')) $('#best').hidden = !results.length || !enough(results[0]);
  const nothing = $('#nothing');
  if (!nothing) return;
  nothing.hidden = staying > 0;
  nothing.textContent = results.length ?
    `The best result reaches ${
      confidenceOf(answer, results[0]).toFixed(2)}, less than is asked for. Lower the least one to see it.` :
    'No image of the collection satisfies the filter. Loosen it, or search another collection.';
}

async function remove(shown, result) {
  if (!await confirmed('Delete this image?',
        `${result.id} goes from the collection ${shown.collection}, and its records with it. This cannot be undone.`,
        'Delete'))
    return;
  try {
    await post(`${collectionPath(shown.collection)}/images:delete`, {ids: [result.id]});
    notify(`${result.id} is deleted.`);
    search();
  } catch (error) {
    page.failed(error);
  }
}

function labelsButton(shown) {
  const text = () => `Labels (${labelCount(shown.collection)})`;
  const button = h('button', {
    class: 'quiet',
    id: 'labels',
    title: 'What was called the same item, or not',
    onclick: () => showLabels(shown.collection, drawAnswer)
  },
    text());
  return {
    button,
    labelled: () => {
      button.textContent = text();
    }
  };
}

async function drawAnswer() {
  const box = $('#answer');
  if (!box) return;
  if (!answer) {
    box.replaceChildren();
    showEnough();
    return;
  }
  const shown = answer;
  const results = shown.results || [];
  const labels = labelsButton(shown);
  const does = {
    why: (result) => why(shown, result, page.failed),
    searchWith: (id) => addImage(shown.collection, id),
    narrow: (term) => setFilter(both(query.filter, term)),
    remove: (result) => remove(shown, result),
    labelled: labels.labelled,
    group: (term) => {
      query.groupBy = '';
      if ($('#group-by')) $('#group-by').value = '';
      setFilter(both(query.filter, term));
    }
  };
  const least = query.least > 0 ? {[shown.confident ? 'minConfidence' : 'minScore']: query.least} : {};
  const tools = h('div', {class: 'row'}, h('h2', {id: 'answer-title'}), labels.button,
    h('button', {
      class: 'quiet',
      onclick: () =>
        showSnippets({collection: shown.collection, request: {...shown.asked, ...least}, parts: shown.parts})
    },
      'Copy as …'),
    h('button', {class: 'quiet', onclick: clear}, 'Clear'));
  const best = h('section', {id: 'best', 'aria-label': 'Why the best result matches'});
  const cards = results.map((result) => card(shown, result, does));
  box.replaceChildren(tools, ribbon(shown.stats || {}, shown.roundTrip), best,
    h('ol', {class: 'grid', id: 'results', onkeydown: (event) => walk(event, cards)}, cards), h('p', {id: 'nothing'}));
  showEnough();
  if (!results.length) return;
  addGroupBadges(shown, cards, does).catch(page.failed);
  try {
    const {element, ready} = await whyView(shown, results[0], kBestHeight);
    if (shown !== answer) return;
    best.replaceChildren(h('h3', {}, `Why ${results[0].id}?`), element);
    await ready;
    best.dataset.ready = 'true';
  } catch (error) {
    page.failed(error);
  }
}

export function show(app) {
  page = app;
  askedBy(search);
  app.main.replaceChildren(
    h('div', {class: 'search-page'}, h('aside', {}, h('h1', {}, 'Search'), h('div', {id: 'query'}), drawBar()),
      h('section', {id: 'answer', 'aria-label': 'Answer'})));
  drawQuery();
  showEnough();
  if (answer && answer.collection === page.collection())
    drawAnswer();
  else if (query.parts.length)
    search();
}

export function collectionChanged() {
  running?.abort();
  keepPhotosOnly();
  Object.assign(query, {least: 0});
  answer = null;
}

export const drop = (transfer) => takeFiles(transfer.files);
