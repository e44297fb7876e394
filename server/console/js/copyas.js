// The query on screen as a command or a program. Pictures are named by their files: their bytes are not repeated.
// Whatever comes from the server or from a file's name is quoted, so that nothing in it runs where it is pasted. The
// key is never shown: the snippets take it from the environment.
import {hasKey} from './api.js';
import {h, notify, openDialog} from './dom.js';

const kGrpcPort = 50051;  // unless --listen says otherwise: the page cannot know

const quote = (text) => /^[\w%+=:,./-]+$/.test(text) ? String(text) : `'${String(text).replaceAll("'", `'\\''`)}'`;
const fileOf = (part) => (part.name || 'query.jpg').replace(/^-/, './-');
const python = (value) => JSON.stringify(value);  // of texts and numbers, Python reads the same
const box = (crop) => ['x0', 'y0', 'x1', 'y1'].map((side) => Number(crop[side].toFixed(4)));
const rerankOf = ({rerank}) => ({METHOD_OFF: 'off', METHOD_OPTIMAL_TRANSPORT: 'ot'})[rerank?.method];

function commandLine({collection, parts, request, address}) {
  if (parts.length > 1) return '# `sightline search` takes one photo. Python, curl and gRPC take several.';
  const crops = request.query.parts[0].crops || [];
  const words = [
    'sightline', 'search', parts[0].id ? `--id=${quote(parts[0].id)}` : quote(fileOf(parts[0])), '--collection',
    quote(collection), '--top_k', request.topK
  ];
  const add = (name, value) => {
    if (value !== undefined) words.push(`--${name}`, quote(value));
  };
  if (!/^(127\.0\.0\.1|localhost):/.test(address)) add('address', address);
  for (const crop of crops) add('crop', box(crop).join(','));
  if (request.filter) words.push(`--filter=${quote(request.filter)}`);
  if (request.groupBy) words.push(`--group_by=${quote(request.groupBy)}`);
  add('rerank', rerankOf(request));
  add('min_score', request.minScore);
  add('min_confidence', request.minConfidence);
  if (request.exact) words.push('--exact');
  return words.join(' ');
}

function pythonProgram({collection, parts, request, address}) {
  const cropsOf = (index) => (request.query.parts[index].crops || []).map((crop) => `(${box(crop).join(', ')})`);
  const crop = (index) => cropsOf(index).length ? `, crop=[${cropsOf(index).join(', ')}]` : '';
  const weight = (index) =>
    request.query.parts[index].weight === undefined ? '' : `, weight=${request.query.parts[index].weight}`;
  const source = (part) => part.id ? `id=${python(part.id)}` : `image=${python(fileOf(part))}`;
  const several = parts.length > 1;
  const lines = [
    `collection=${python(collection)},`,
    several ?
      `parts=[${parts.map((part, index) => `Part(${source(part)}${crop(index)}${weight(index)})`).join(', ')}],` :
      `${source(parts[0])}${crop(0)},`,
    `top_k=${request.topK},`, request.filter && `filter=${python(request.filter)},`,
    request.groupBy && `group_by=${python(request.groupBy)},`,
    rerankOf(request) && `rerank=${rerankOf(request) === 'ot' ? 'True' : 'False'},`,
    request.minScore !== undefined && `min_score=${request.minScore},`,
    request.minConfidence !== undefined && `min_confidence=${request.minConfidence},`, request.exact && 'exact=True,',
    'explain=True,'
  ].filter(Boolean);
  return `from sightline import Client${several ? ', Part' : ''}\n\nwith Client(${python(address)}) as client:\n` +
    `    found = client.search(\n${
      lines.map((line) => `        ${line}\n`)
        .join('')}    )\n    for result in found.results:\n        print(result.rank, result.id, result.score)\n`;
}

const keyHeader = () => hasKey() ? ' -H "Authorization: Bearer $SIGHTLINE_API_KEY"' : '';

function curl({collection, parts, request}) {
  const url = quote(`${location.origin}/v1/collections/${encodeURIComponent(collection)}:search`);
  const body = quote(JSON.stringify(request));
  if (parts.every((part) => part.id))
    return `curl ${url}${keyHeader()} -H 'Content-Type: application/json' \\\n  -d ${body}`;
  // curl reads commas and semicolons in the name of a file, unless it is quoted for curl, too.
  const forCurl = (name) => `"${name.replaceAll(/["\\]/g, '\\$&')}"`;
  const images = parts
                   .map((part, index) => (
                          part.id ? '' : ` \\\n  -F ${quote(`query.parts[${index}].image=@${forCurl(fileOf(part))}`)}`))
                   .join('');
  return `curl ${url}${keyHeader()} -H 'X-Requested-With: curl' \\\n  --form-string request=${body}${images}`;
}

// The pictures go through a pipe: an argument has no room for them.
function grpc({collection, parts, request, address}) {
  const mark = (index) => `@picture ${index}@`;
  const message = {
    collection,
    ...request,
    query: {parts: request.query.parts.map((part, index) => (parts[index].id ? part : {...part, image: mark(index)}))}
  };
  let text = JSON.stringify(message);
  const pieces = [];
  parts.forEach((part, index) => {
    if (part.id) return;
    const at = text.indexOf(`"${mark(index)}"`) + 1;
    pieces.push(`printf %s ${quote(text.slice(0, at))}`, `base64 -w0 ${quote(fileOf(part))}`);
    text = text.slice(at + mark(index).length);
  });
  pieces.push(`printf %s ${quote(text)}`);
  return `{ ${pieces.join('; \\\n  ')}; } | grpcurl ${location.protocol === 'https:' ? '' : '-plaintext '}${
           keyHeader().trim()}${hasKey() ? ' ' : ''}-import-path proto -proto sightline/v1/search_service.proto \\\n` +
    `  -d @ ${address} sightline.v1.SearchService/Search`;
}

// `query`: {collection, parts: [{name} or {id}], request}, with the request as it was sent, without pictures.
export function snippets(query) {
  const all = {...query, address: `${location.hostname}:${kGrpcPort}`};
  return {'Command line': commandLine(all), Python: pythonProgram(all), curl: curl(all), gRPC: grpc(all)};
}

export function showSnippets(query) {
  const all = snippets(query);
  const text = h('pre', {tabindex: '0', id: 'snippet', role: 'tabpanel'});
  const tabs = Object.keys(all).map(
    (name) => h('button', {role: 'tab', 'aria-controls': 'snippet', onclick: () => choose(name)}, name));
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
  openDialog('Copy as',
    [
      h('div', {role: 'tablist', class: 'row'}, tabs), text,
      h('p', {class: 'hint'},
        `gRPC is taken to be at port ${kGrpcPort}; --listen decides.${
          hasKey() ? ' The key is taken from SIGHTLINE_API_KEY.' : ''}`),
      h('div', {class: 'row end'}, h('button', {class: 'primary', onclick: copy}, 'Copy'))
    ],
    {wide: true});
}
