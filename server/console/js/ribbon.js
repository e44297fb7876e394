// Where the time of an answer went, as one bar with a part for every stage.
import {h, ms} from './dom.js';

const names = {decode_queue: 'wait for a decoder', decode: 'decode', queue: 'wait for the model', embed: 'embed',
  search_queue: 'wait for a search thread', search: 'search', fetch_tokens: 'fetch patches', rerank: 're-rank', fetch: 'fetch', explain: 'explain'};

export function ribbon(stats, roundTrip) {
  const stages = (stats.stages || []).filter((stage) => stage.stage !== 'total');
  const total = stats.stages?.find((stage) => stage.stage === 'total')?.milliseconds ?? stages.reduce((sum, stage) => sum + stage.milliseconds, 0);
  const text = (stage) => `${names[stage.stage] || stage.stage} ${ms(stage.milliseconds)}${stage.batchSize > 1 ? ` (batch of ${stage.batchSize})` : ''}`;
  const rest = Math.max(0, total - stages.reduce((sum, stage) => sum + stage.milliseconds, 0));
  return h('section', {class: 'ribbon', 'aria-label': 'Where the time went'},
    h('div', {class: 'bar', 'aria-hidden': 'true'},
      stages.map((stage) => h('span', {class: `stage ${stage.stage.includes('queue') ? 'wait' : stage.stage}`, title: text(stage), style: {flexGrow: String(Math.max(total / 200, stage.milliseconds))}})),
      h('span', {class: 'stage rest', title: `other ${ms(rest)}`, style: {flexGrow: String(rest)}}),
      stats.degraded && h('span', {class: 'stage degraded', title: 'degraded', style: {flexGrow: String(total / 20)}})),
    h('p', {}, `${ms(total)} in the server, ${ms(roundTrip)} here: `, stages.filter((stage) => stage.milliseconds >= 0.1).map(text).join(' · '),
      `. ${Number(stats.compared).toLocaleString('en')} of ${Number(stats.images).toLocaleString('en')} images compared (${stats.index || 'exact'}).`),
    (stats.degraded ? stats.degradedReasons || [] : []).map((reason) => h('p', {class: 'warning'}, `Degraded: ${reason}`)));
}
