// The results of a search as a grid of cards; the evidence for one of them.
import {collectionPath, pictureUrl, post} from './api.js';
import {$, h, notify, openDialog, percent, plural, preview} from './dom.js';
import {evidenceView} from './evidence.js';
import {anyOf, attributeText, both, condition, valuesOf} from './filter.js';
import {labelButtons} from './labels.js';
import {nameOf} from './query.js';

export const kPairs = 24;
const kChips = 4;

// An answer: the reply, and {collection, asked: the request, parts: of the query, subject: of labels, tokens: whether
// the collection keeps patches}.
export const confidenceOf = (answer, result) => answer.confident ? result.confidence ?? 0 : result.score || 0;

const changeOf = (result) => result.rankBeforeRerank ? result.rankBeforeRerank - result.rank : 0;

// `does`: {why, searchWith, narrow(condition), remove, group(condition), labelled}.
export function card(answer, result, does) {
  const moved = changeOf(result);
  const attributes = Object.entries(result.attributes || {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return h('li', {
    class: 'card',
    tabindex: '0',
    'data-id': result.id,
    'aria-label': `Rank ${result.rank}: ${result.id}, score ${(result.score || 0).toFixed(3)}`,
    onkeydown: (event) => {
      if (event.key !== 'Enter' || event.target !== event.currentTarget) return;
      event.preventDefault();  // or the dialog's first button takes it
      does.why(result);
    }
  },
    h('button', {class: 'thumb', 'aria-label': `Why ${result.id}?`, tabindex: '-1', onclick: () => does.why(result)},
      preview(pictureUrl(answer.collection, result.id), `Preview of ${result.id}`)),
    h('div', {class: 'about'},
      h('div', {class: 'row'}, h('b', {class: 'rank'}, `${result.rank}`),
        result.confidence !== undefined &&
          h('span', {class: 'confidence', title: 'confidence that it is the same item'}, percent(result.confidence)),
        h('span', {title: 'score: the cosine of the descriptors'}, (result.score || 0).toFixed(3)),
        result.structuralScore !== undefined &&
          h('span', {class: 'soft', title: 'structural score: of the patches'},
            `+ ${result.structuralScore.toFixed(3)}`),
        moved !== 0 &&
          h('span', {class: moved > 0 ? 'up' : 'down', title: `rank ${result.rankBeforeRerank} before re-ranking`},
            `${moved > 0 ? '▲' : '▼'} ${Math.abs(moved)}`)),
      h('div', {class: 'name', title: result.id}, result.id),
      attributes.length > 0 &&
        h('div', {class: 'chips'},
          attributes.slice(0, kChips).map(([key, value]) => h('button', {
            class: 'chip',
            title: `Only ${key} = ${attributeText(value)}`,
            onclick: () => does.narrow(condition(key, value))
          },
                                            `${key}: ${attributeText(value)}`))),
      h('div', {class: 'actions'}, h('button', {class: 'why-button', onclick: () => does.why(result)}, 'Why this?'),
        h('button', {class: 'quiet', onclick: () => does.searchWith(result.id)}, 'Search with this')),
      h('div', {class: 'actions'}, labelButtons(answer.collection, answer.subject, result.id, does.labelled),
        h('button', {class: 'quiet', 'aria-label': `Delete ${result.id}`, onclick: () => does.remove(result)},
          'Delete'))));
}

// With `group_by`: how many images of the collection each result stands for.
export async function addGroupBadges(answer, cards, does) {
  const key = answer.asked.groupBy;
  const valueOf = (result) => result.attributes?.[key];
  const grouped = (answer.results || []).filter((one) => valueOf(one) && !valueOf(one).stringList);
  if (!key || !grouped.length) return;
  const filter = both(answer.asked.filter || '', anyOf(key, grouped.map(valueOf)));
  const counts = new Map(
    (await valuesOf(answer.collection, key, filter)).map((one) => [attributeText(one.value), Number(one.count)]));
  for (const result of grouped) {
    const images = counts.get(attributeText(valueOf(result)));
    if (!images) continue;
    cards[answer.results.indexOf(result)].querySelector('.thumb').after(h('button', {
      class: 'badge',
      title: `Show all with ${key} = ${attributeText(valueOf(result))}`,
      onclick: () => does.group(condition(key, valueOf(result)))
    },
      plural(images, 'photo')));
  }
}

// Arrows go from card to card.
export function walk(event, cards) {
  const at = cards.indexOf(document.activeElement);
  if (at < 0) return;
  const shown = cards.filter((one) => !one.hidden);
  const columns = Math.max(1, shown.filter((one) => one.offsetTop === shown[0].offsetTop).length);
  const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns}[event.key];
  if (!step) return;
  event.preventDefault();
  shown[Math.min(shown.length - 1, Math.max(0, shown.indexOf(cards[at]) + step))].focus();
}

async function evidenceOf(answer, result) {
  if (result.evidence || !answer.tokens) return result.evidence;
  const [part] = answer.parts;
  const [crop] = answer.asked.query.parts[0].crops || [];
  const reply = await post(`${collectionPath(answer.collection)}:explain`, {
    query: {...(part.id ? {id: part.id} : {}), ...(crop ? {crop} : {})},
    result: {id: result.id},
    rerank: answer.asked.rerank.method === 'METHOD_OFF' ? {} : answer.asked.rerank,
    options: {enabled: true, correspondences: kPairs, heatMaps: true}
  },
    part.file ? [['query.image', part.file]] : []);
  return reply.evidence;
}

// {element, ready}: both pictures with what joins them.
export async function whyView(answer, result, height) {
  const evidence = await evidenceOf(answer, result);
  if (!evidence?.correspondences?.length) {
    return {
      element: h('p', {},
        answer.tokens ? 'No patches of the two were matched: this result is here for its descriptor alone.' :
                        'The collection keeps no patch tokens: results are found by their descriptors alone.'),
      ready: Promise.resolve()
    };
  }
  const part = answer.parts[evidence.queryPart || 0] || answer.parts[0];
  return evidenceView(evidence, {url: part.url, label: `Query: ${nameOf(part)}`},
    {url: await pictureUrl(answer.collection, result.id), label: `Result: ${result.id}`}, height);
}

export async function why(answer, result, failed) {
  try {
    const {element} = await whyView(answer, result);
    openDialog(`Why ${result.id}?`, element, {wide: true});
  } catch (error) {
    failed(error);
  }
}
