// The query on screen as a command or a program. Pictures are named by their files: their bytes are not repeated.
import {h, openDialog, notify} from './dom.js';

const quote = (text) => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${String(text).replaceAll("'", `'\\''`)}'`;
const py = (value) => JSON.stringify(value).replaceAll('true', 'True').replaceAll('false', 'False').replaceAll('null', 'None');

// `query`: {collection, part: {name} or {id}, crops, request}, with the request as it was sent, without pictures.
export function snippets({collection, parts, request}) {
  const origin = location.origin;
  const host = location.hostname.includes(':') ? `[${location.hostname}]` : location.hostname;
  const first = parts[0];
  const file = first.name || 'query.jpg';
  const crop = first.crops?.[0];
  const numbers = crop && ['x0', 'y0', 'x1', 'y1'].map((side) => Number(crop[side].toFixed(4)));
  const off = request.rerank?.method === 'METHOD_OFF';
  const cli = ['sightline', 'search', ...(first.id ? ['--id', quote(first.id)] : [quote(file)]), '--collection', quote(collection), '--top_k', request.topK,
    ...(crop ? ['--crop', numbers.join(',')] : []), ...(request.filter ? ['--filter', quote(request.filter)] : []),
    ...(off ? ['--rerank', 'off'] : []), ...(request.minScore !== undefined ? ['--min_score', request.minScore] : []),
    ...(request.minConfidence !== undefined ? ['--min_confidence', request.minConfidence] : []), ...(request.exact ? ['--exact'] : [])].join(' ');
  const python = `from sightline import Client\n\nwith Client("${host}:50051") as client:\n    found = client.search(\n        ${first.id ? `id=${py(first.id)}` : py(file)},\n        collection=${py(collection)},\n        top_k=${request.topK},\n`
    + (crop ? `        crop=(${numbers.join(', ')}),\n` : '') + (request.filter ? `        filter=${py(request.filter)},\n` : '')
    + (off ? '        rerank="off",\n' : '') + (request.exact ? '        exact=True,\n' : '') + '        explain=True,\n    )\n    for result in found.results:\n        print(result.rank, result.id, result.score)\n';
  const body = JSON.stringify(request);
  const images = parts.map((part, index) => (part.id ? '' : ` \\\n  -F 'query.parts[${index}].image=@${(part.name || 'query.jpg').replaceAll("'", `'\\''`)}'`)).join('');
  const curl = images
    ? `curl ${origin}/v1/collections/${encodeURIComponent(collection)}:search -H 'X-Requested-With: curl' \\\n  -F request=${quote(body)}${images}`
    : `curl ${origin}/v1/collections/${encodeURIComponent(collection)}:search -H 'Content-Type: application/json' \\\n  -d ${quote(body)}`;
  const message = {collection, ...request, query: {parts: (request.query?.parts || [{}]).map((part, index) => (parts[index]?.id ? part : {...part, image: '$IMAGE'}))}};
  const json = JSON.stringify(message);
  const grpc = `${images ? `IMAGE=$(base64 -w0 ${quote(file)})\n` : ''}grpcurl -plaintext -import-path proto -proto sightline/v1/search_service.proto \\\n  -d ${images ? `"${json.replaceAll('"', '\\"')}"` : quote(json)} \\\n  ${host}:50051 sightline.v1.SearchService/Search`;
  return {'Command line': cli, Python: python, curl, gRPC: grpc};
}

export function showSnippets(query) {
  const all = snippets(query);
  const text = h('pre', {tabindex: '0'});
  const tabs = Object.keys(all).map((name) => h('button', {role: 'tab', onclick: () => choose(name)}, name));
  let shown;
  const choose = (name) => {
    shown = name;
    text.textContent = all[name];
    for (const tab of tabs) tab.setAttribute('aria-selected', String(tab.textContent === name));
  };
  choose('Command line');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(all[shown]);
      notify('Copied.');
    } catch {
      getSelection().selectAllChildren(text);  // no clipboard on plain HTTP: one key is left to press
      notify('Selected: press Ctrl+C.');
    }
  };
  openDialog('Copy as', [h('div', {role: 'tablist', class: 'row'}, tabs), text, h('div', {class: 'row end'}, h('button', {class: 'primary', onclick: copy}, 'Copy'))], {wide: true});
}
