// The server's JSON interface. Errors carry the server's own sentence, which says what is wrong and what to do.

export class ApiError extends Error {
  constructor(message, {status = '', code = 0, reason = '', retryAfter = 0} = {}) {
    super(message);
    Object.assign(this, {status, code, reason, retryAfter});
  }
}

// In this tab's memory and no longer: a key does not belong on a disk.
let key = sessionStorage.getItem('sightline-key') || '';
export const hasKey = () => key !== '';
export function setKey(value) {
  key = value.trim();
  if (key) sessionStorage.setItem('sightline-key', key); else sessionStorage.removeItem('sightline-key');
  for (const url of pictures.values()) url.then((text) => URL.revokeObjectURL(text)).catch(() => {});
  pictures.clear();
}
const headers = (more = {}) => key ? {...more, Authorization: `Bearer ${key}`} : more;

async function failure(response) {
  let error = {};
  try { error = (await response.json()).error || {}; } catch { /* a proxy's page */ }
  const detail = (kind) => (error.details || []).find((one) => String(one['@type']).endsWith(kind)) || {};
  const seconds = parseFloat(detail('RetryInfo').retryDelay) || parseFloat(response.headers.get('Retry-After')) || 0;
  return new ApiError(error.message || `The server answered ${response.status} ${response.statusText}.`,
    {status: error.status, code: response.status, reason: detail('ErrorInfo').reason, retryAfter: seconds});
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The server cannot be reached. Check that it runs, then try again.', {status: 'UNAVAILABLE', retryAfter: 2});
  }
  if (!response.ok) throw await failure(response);
  return response;
}

export async function get(path, signal) {
  return (await send(path, {headers: headers(), signal})).json();
}

// `files`: [path of a bytes field, File or Blob] pairs; without any the request goes as JSON.
export async function post(path, request = {}, files = [], signal) {
  if (files.length === 0) {
    return (await send(path, {method: 'POST', signal, body: JSON.stringify(request), headers: headers({'Content-Type': 'application/json'})})).json();
  }
  const form = new FormData();
  form.append('request', new Blob([JSON.stringify(request)], {type: 'application/json'}));
  for (const [name, file] of files) form.append(name, file, 'image');
  return (await send(path, {method: 'POST', signal, body: form, headers: headers({'X-Requested-With': 'console'})})).json();
}

export const collectionPath = (name) => `/v1/collections/${encodeURIComponent(name)}`;
export const imagePath = (collection, id) => `${collectionPath(collection)}/images/${encodeURIComponent(id)}`;

// An address for <img>. With a key the picture has to be fetched, since <img> sends none.
const pictures = new Map();
export async function pictureUrl(collection, id) {
  const path = `${imagePath(collection, id)}/preview`;
  if (!key) return path;
  if (!pictures.has(path)) {
    const url = send(path, {headers: headers()}).then((response) => response.blob()).then((blob) => URL.createObjectURL(blob));
    url.catch(() => pictures.delete(path));
    pictures.set(path, url);
    if (pictures.size > 500) pictures.delete(pictures.keys().next().value);
  }
  return pictures.get(path);
}

// Calls `tell(operation)` until the operation has ended; its result, or an ApiError with what went wrong.
export async function follow(operation, tell, signal) {
  for (let wait = 150; ; wait = Math.min(2000, wait * 1.4)) {
    tell?.(operation);
    if (operation.state === 'STATE_SUCCEEDED') return operation.result;
    if (operation.state === 'STATE_FAILED') throw new ApiError(operation.error?.message || 'The work failed.');
    if (operation.state === 'STATE_CANCELLED') throw new ApiError('The work was cancelled.', {status: 'CANCELLED'});
    await new Promise((resolve) => setTimeout(resolve, wait));
    signal?.throwIfAborted();
    operation = (await get(`/v1/${operation.name}`, signal)).operation;
  }
}
