// The server's JSON interface. Errors carry the server's own sentence, which says what is wrong and what to do. No
// call waits for ever: kPatience is above every deadline that the server gives by itself.

import {tab} from './store.js';

const kPatience = 120_000;
const kPictures = 2000;  // more than one answer shows: pictures further down load when they are scrolled to

export class ApiError extends Error {
  constructor(message, {status = '', code = 0, reason = '', retryAfter = 0} = {}) {
    super(message);
    Object.assign(this, {status, code, reason, retryAfter});
  }
}

// In this tab's memory and no longer: a key does not belong on a disk.
let key = tab.get('sightline-key') || '';
export const hasKey = () => key !== '';
export function setKey(value) {
  key = value.trim();
  tab.set('sightline-key', key);
  for (const path of [...pictures.keys()]) forgetPicture(path);
}
const headers = (more = {}) => key ? {...more, Authorization: `Bearer ${key}`} : more;

async function failure(response) {
  let error = {};
  try {
    error = (await response.json()).error || {};
  } catch { /* a proxy's page */
  }
  const detail = (kind) => (error.details || []).find((one) => String(one['@type']).endsWith(kind)) || {};
  const seconds = parseFloat(detail('RetryInfo').retryDelay) || parseFloat(response.headers.get('Retry-After')) || 0;
  return new ApiError(error.message || `The server answered ${response.status} ${response.statusText}.`,
    {status: error.status, code: response.status, reason: detail('ErrorInfo').reason, retryAfter: seconds});
}

// `read` takes the body, which may break off as well.
async function send(path, options, read) {
  const patience = AbortSignal.timeout(kPatience);
  const signal =
    options.signal && AbortSignal.any ? AbortSignal.any([options.signal, patience]) : options.signal || patience;
  try {
    const response = await fetch(path, {...options, signal});
    if (!response.ok) throw await failure(response);
    return await read(response);
  } catch (error) {
    if (error instanceof ApiError || error.name === 'AbortError') throw error;
    throw error.name === 'TimeoutError' ?
      new ApiError(`The server has not answered for ${kPatience / 1000} s. Look at its log, then try again.`,
        {status: 'DEADLINE_EXCEEDED'}) :
      new ApiError(
        'The server cannot be reached. Check that it runs, then try again.', {status: 'UNAVAILABLE', retryAfter: 2});
  }
}
const json = (response) => response.json();

export const get = (path, signal) => send(path, {headers: headers(), signal}, json);

// `files`: [path of a bytes field, File or Blob] pairs; without any the request goes as JSON.
export function post(path, request = {}, files = [], signal) {
  const text = JSON.stringify(request);
  if (files.length === 0) {
    return send(
      path, {method: 'POST', signal, body: text, headers: headers({'Content-Type': 'application/json'})}, json);
  }
  const body = new FormData();
  body.append('request', new Blob([text], {type: 'application/json'}));
  for (const [name, file] of files) body.append(name, file, 'image');
  return send(path, {method: 'POST', signal, body, headers: headers({'X-Requested-With': 'console'})}, json);
}

export const collectionPath = (name) => `/v1/collections/${encodeURIComponent(name)}`;
export const imagePath = (collection, id) => `${collectionPath(collection)}/images/${encodeURIComponent(id)}`;
export const withParameters = (path, parameters) => `${path}?${new URLSearchParams(parameters)}`;

// Which picture of an image there is: what its collection keeps.
const kept = new Map();
function keptView(collection) {
  if (!kept.has(collection)) {
    kept.set(collection, get(collectionPath(collection)).then(
      (reply) => reply.collection.settings?.keepImage === 'KEEP_IMAGE_ORIGINAL' ? 'original' : 'preview',
      () => 'preview'));
  }
  return kept.get(collection);
}

// An address for <img>. With a key the picture has to be fetched, since <img> sends none.
const pictures = new Map();
export async function pictureUrl(collection, id) {
  const path = `${imagePath(collection, id)}/${await keptView(collection)}`;
  if (!key) return path;
  if (!pictures.has(path)) {
    const url =
      send(path, {headers: headers()}, (response) => response.blob()).then((blob) => URL.createObjectURL(blob));
    pictures.set(path, url);
    url.catch(() => {
      if (pictures.get(path) === url) pictures.delete(path);
    });
    if (pictures.size > kPictures) forgetPicture(pictures.keys().next().value);
  }
  return pictures.get(path);
}
function forgetPicture(path) {
  pictures.get(path).then(URL.revokeObjectURL, () => {});
  pictures.delete(path);
}

// Calls `tell(operation)` until the operation has ended; its result, or an ApiError with what went wrong.
export async function follow(operation, tell, signal) {
  for (let wait = 150;; wait = Math.min(2000, wait * 1.4)) {
    tell?.(operation);
    if (operation.state === 'STATE_SUCCEEDED') return operation.result;
    if (operation.state === 'STATE_FAILED') throw new ApiError(operation.error?.message || 'The work failed.');
    if (operation.state === 'STATE_CANCELLED') throw new ApiError('The work was cancelled.', {status: 'CANCELLED'});
    await new Promise((resolve) => setTimeout(resolve, wait));
    signal?.throwIfAborted();
    operation = (await get(`/v1/${operation.name}`, signal)).operation;
  }
}
