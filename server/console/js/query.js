// What is searched for: photos, indexed images and crops of them, and how. The pages that search share it, so that one
// query can be put to several collections.
import {collectionPath, pictureUrl, post} from './api.js';
import {CropView} from './crop.js';
import {$, h, notify} from './dom.js';

const kMaxParts = 4;
const types = ['image/jpeg', 'image/png', 'image/webp', ''];
const accept = 'image/jpeg,image/png,image/webp';

// `least`: share of confidence or score that a result needs to be shown; 0 shows all.
export const query = {
  parts: [],
  filter: '',
  topK: 20,
  rerank: 'model',
  exact: false,
  least: 0,
  groupBy: ''
};

let asked = () => {};  // the page on screen: called when there is something new to look for
let adding = false;    // whether the next photo joins the query
export function askedBy(changed) {
  asked = changed;
}

export const nameOf = (part) => part.id || part.name || 'pasted photo';

export function addPhoto(file, {pasted = false} = {}) {
  if (!types.includes(file.type)) {
    notify(
      `${file.name || 'That'} is ${file.type}; a query is a JPEG, PNG or WebP photo. Choose another file.`, 'error');
    return;
  }
  // A browser calls all that is pasted alike.
  const part =
    {file, name: pasted && /^image\.\w+$/.test(file.name) ? '' : file.name, url: URL.createObjectURL(file), weight: 1};
  part.view = new CropView(part.url, {alt: `The query photo ${file.name || ''}`, changed: () => asked()});
  addPart(part);
}

export async function addImage(collection, id) {
  // Without a preview the query is its name alone.
  const url = await pictureUrl(collection, id).catch(() => '');
  addPart({
    id,
    collection,
    url,
    weight: 1,
    element: h('div', {class: 'crop'}, url && h('img', {src: url, alt: `The indexed image ${id}`}))
  });
}

function addPart(part) {
  if (!adding) release(query.parts.splice(0));
  if (query.parts.length === kMaxParts) {
    release([part]);
    notify(`The query has ${kMaxParts} photos, the most it takes here. Take one out first.`, 'error');
    return;
  }
  query.parts.push(part);
  adding = false;
  drawQuery();
  asked();
}

// An answer that is still on screen keeps its pictures: they are loaded.
function release(parts) {
  for (const part of parts)
    if (part.file) URL.revokeObjectURL(part.url);
}

export function clearQuery() {
  release(query.parts.splice(0));
  adding = false;
  drawQuery();
}

// Ids mean something in one collection only.
export function keepPhotosOnly() {
  query.parts = query.parts.filter((part) => part.file);
}

export function takeFiles(files) {
  const list = [...files];
  list.slice(0, kMaxParts).forEach((file, index) => {
    if (index > 0) adding = true;
    addPhoto(file);
  });
  if (list.length > kMaxParts)
    notify(`The first ${kMaxParts} of ${
             list.length} photos are searched with: more do not fit one query. The Ingest page takes all.`,
      'warning');
}

// The request, without the bytes of the photos; `rerank` is one of 'model', 'ot' and 'off'.
export function request({rerank = query.rerank} = {}) {
  const wanted = {
    topK: query.topK,
    returnAttributes: true,
    rerank: {},
    query: {
      parts: query.parts.map((part) => ({
        ...(part.id ? {id: part.id} : {}),
        ...(part.weight === 1 ? {} : {weight: part.weight}),
        ...(part.view?.crops().length ? {crops: part.view.crops().map((box) => ({...box}))} : {})
      }))
    }
  };
  if (query.filter.trim()) wanted.filter = query.filter.trim();
  if (query.groupBy.trim()) wanted.groupBy = query.groupBy.trim();
  if (query.exact) wanted.exact = true;
  if (rerank === 'off') wanted.rerank.method = 'METHOD_OFF';
  if (rerank === 'ot') wanted.rerank.method = 'METHOD_OPTIMAL_TRANSPORT';
  return wanted;
}

const photos = () =>
  query.parts.flatMap((part, index) => (part.file ? [[`query.parts[${index}].image`, part.file]] : []));

export function ask(collection, wanted, signal) {
  return post(`${collectionPath(collection)}:search`, wanted, photos(), signal);
}

function partView(part, index) {
  const take = () => {
    release(query.parts.splice(index, 1));
    drawQuery();
    asked();
  };
  return h('div', {class: 'part'}, part.view?.element || part.element,
    h('div', {class: 'row'}, h('span', {class: 'name', title: nameOf(part)}, nameOf(part)),
      query.parts.length > 1 && h('label', {class: 'soft'}, 'weight ', h('input', {
        type: 'number',
        step: '0.25',
        min: '-4',
        max: '4',
        value: String(part.weight),
        class: 'short',
        title: 'below 0 pushes away',
        onchange: (event) => {
          part.weight = Number(event.target.value) || 0;
          asked();
        }
      })),
      part.view &&
        h('button',
          {class: 'quiet', title: 'Look at another part of the photo, too', onclick: () => part.view.addBox()},
          '+ Box'),
      h('button', {class: 'quiet', 'aria-label': `Take ${nameOf(part)} out of the query`, onclick: take}, '×')));
}

// Draws the query where a page has put `#query`.
export function drawQuery() {
  const box = $('#query');
  if (!box) return;
  const input = h('input', {
    type: 'file',
    accept,
    id: 'photo',
    multiple: true,
    class: 'hidden',
    onchange: () => {
      takeFiles(input.files);
      input.value = '';
    }
  });
  const camera = h('input', {
    type: 'file',
    accept,
    capture: 'environment',
    id: 'camera',
    class: 'hidden',
    onchange: () => {
      takeFiles(camera.files);
      camera.value = '';
    }
  });
  const some = query.parts.length > 0;
  box.replaceChildren(
    h('div', {class: 'sources'},
      h('button', {id: 'drop', class: some ? 'drop small' : 'drop', onclick: () => input.click()},
        h('strong', {}, some ? 'Another photo' : 'Drop, paste or choose a photo'),
        some ? null : h('span', {}, 'JPEG, PNG or WebP. It is compared with the collection and not kept.')),
      h('button', {class: 'camera', onclick: () => camera.click()}, 'Take a photo')),
    input, camera, ...query.parts.map(partView),
    ...(some ? [h('p', {class: 'hint'},
                 h('span', {class: 'by-mouse'},
                   'Drag over the photo to look at a part; with Shift for one more; double-click for all of it.'),
                 h('span', {class: 'by-touch'},
                   'Drag a corner to look at a part; + Box for one more; tap twice for all of it.'))] :
               []),
    ...(some && query.parts.length < kMaxParts ? [h('button', {
      class: 'quiet',
      id: 'add-part',
      'aria-pressed': String(adding),
      title: 'The next photo, or the next “Search with this”, joins the query, with a weight',
      onclick: () => {
        adding = !adding;
        $('#add-part').setAttribute('aria-pressed', String(adding));
      }
    },
                                                   '+ Add the next photo to this one')] :
                                                 []));
}
