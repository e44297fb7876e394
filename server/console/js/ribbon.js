// Where the time of an answer went, as one bar with a part for every stage, and the same in words.
import {count, h, ms} from './dom.js';

const kLeast = 0.1;  // ms; less is not worth a word
const names = {
  decode_queue: 'wait for a decoder',
  decode: 'decode',
  queue: 'wait for the model',
  embed: 'embed',
  search_queue: 'wait for a search thread',
  search: 'search',
  fetch_tokens: 'fetch patches',
  rerank: 're-rank',
  fetch: 'fetch',
  explain: 'explain'
};
const kinds = ['decode', 'embed', 'search', 'fetch', 'rerank', 'explain'];
const kindOf = (stage) => stage.includes('queue') ? 'wait' : kinds.find((kind) => stage.startsWith(kind)) || 'other';

export function ribbon(stats, roundTrip) {
  const stages = (stats.stages || []).filter((stage) => stage.stage !== 'total');
  const spent = stages.reduce((sum, stage) => sum + stage.milliseconds, 0);
  const total = stats.stages?.find((stage) => stage.stage === 'total')?.milliseconds ?? spent;
  const text = (stage) => `${names[stage.stage] || stage.stage} ${ms(stage.milliseconds)}${
    stage.batchSize > 1 ? ` (batch of ${stage.batchSize})` : ''}`;
  const part = (kind, share, title) => h('span', {class: `stage ${kind}`, title, style: {flexGrow: String(share)}});
  return h('section', {class: 'ribbon', 'aria-label': 'Where the time went'},
    h('div', {class: 'bar', 'aria-hidden': 'true'},
      stages.map((stage) => part(kindOf(stage.stage), Math.max(total / 200, stage.milliseconds), text(stage))),
      part('rest', Math.max(0, total - spent), 'other'), stats.degraded && part('degraded', total / 20, 'degraded')),
    h('p', {}, h('span', {}, h('b', {}, ms(total)), ` in the server, ${ms(roundTrip)} here`),
      stages.filter((stage) => stage.milliseconds >= kLeast)
        .map((stage) => h('span', {class: 'key'}, h('i', {class: `stage ${kindOf(stage.stage)}`}), text(stage)))),
    h('p', {},
      `${count(stats.compared)} descriptors of ${count(stats.images)} images compared (${stats.index || 'exact'})${
        stats.matching !== stats.images ? `; ${count(stats.matching)} satisfy the filter` : ''}.`),
    stats.degraded && (stats.degradedReasons || []).map((reason) => h('p', {class: 'warning'}, `Degraded: ${reason}`)));
}
