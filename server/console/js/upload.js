// Sends photos to collections, a few at a time. A photo keeps its request id when it is sent again, so that nothing is
// written twice, and its collection, whatever is chosen meanwhile. Photos with the same bytes as another one of the run
// are left out. It goes on while other pages are shown.
import {collectionPath, post} from './api.js';
import {bytes} from './dom.js';

const kAtOnce = 4;
const kAttempts = 6;
const kMostWait = 10;  // seconds between two attempts

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
const uniqueId = () =>
  crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(36)).join('-');

// Only where the browser offers it: pages that come by plain HTTP from another machine do without.
async function hashOf(file) {
  if (!crypto.subtle) return null;
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

export const run = {
  collection: '',
  total: 0,
  done: 0,  // sent, left out or failed
  bytes: 0,
  same: [],      // {photo, as: path of the one with the same bytes}
  failures: [],  // {photo, reason}
  notPhotos: 0,
  active: 0,
  stopped: '',  // why nothing more is sent
  largest: Infinity,
  changed: () => {},
  ended: () => {},
};
let queue = [];
let hashes = new Map();
let began = 0;  // of the photos counted here
let counted = 0;
let endTime = 0;

export const busy = () => run.active > 0;
export function pace() {
  const seconds = ((busy() ? performance.now() : endTime) - began) / 1000;
  const rate = counted / Math.max(seconds, 0.001);
  return {seconds, rate, left: (run.total - run.done) / Math.max(rate, 0.001)};
}

function start() {
  run.stopped = '';
  if (!busy()) [began, counted] = [performance.now(), 0];
  for (let i = run.active; i < Math.min(kAtOnce, run.active + queue.length); ++i) work();
  run.changed();
}

// `photos`: [{file, path}].
export function upload(photos, collection, notPhotos) {
  if (!busy()) {
    Object.assign(run, {total: 0, done: 0, bytes: 0, same: [], failures: [], notPhotos: 0});
    queue = [];
    hashes = new Map();
  }
  run.collection = collection;
  run.total += photos.length;
  run.notPhotos += notPhotos;
  for (const photo of photos) queue.push({...photo, collection, requestId: `console-${uniqueId()}`});
  start();
}

export function retry() {
  const again = run.failures.map((failure) => failure.photo);
  Object.assign(run, {failures: [], done: run.done - again.length});
  queue.push(...again);
  start();
}

// What is on its way ends.
export function stop(why) {
  run.stopped = why;
  run.total -= queue.length;
  queue = [];
  run.changed();
}

// True if it has been sent; false if another one with the same bytes has.
async function send(photo) {
  if (photo.file.size > run.largest)
    throw new Error(`The photo has ${bytes(photo.file.size)}; the server takes ${
      bytes(run.largest)}. Send a smaller one, or raise --max_image_bytes.`);
  const hash = await hashOf(photo.file).catch((error) => {
    throw new Error(`The file cannot be read: ${error.message} Choose it again.`);
  });
  const key = hash && `${photo.collection} ${hash}`;
  const first = key && hashes.get(key);
  if (first && first !== photo.path) {
    run.same.push({photo, as: first});
    return false;
  }
  if (key) hashes.set(key, photo.path);
  for (let attempt = 1;; ++attempt) {
    try {
      await post(`${collectionPath(photo.collection)}/images`,
        {requestId: photo.requestId, item: {id: photo.path, sourceUri: photo.path}}, [['item.image', photo.file]]);
      return true;
    } catch (error) {
      const again = error.code === 429 || error.code === 503 || error.status === 'UNAVAILABLE';
      if (!again || attempt === kAttempts || run.stopped) throw error;
      await pause(Math.min(kMostWait, (error.retryAfter || 0.25) * (0.8 + 0.4 * Math.random()) * attempt));
    }
  }
}

async function work() {
  run.active++;
  while (queue.length) {
    const photo = queue.shift();
    try {
      if (await send(photo)) run.bytes += photo.file.size;
    } catch (error) {
      run.failures.push({photo, reason: error.message});
      if (error.code === 401 || error.code === 403) {  // nor would the others
        stop(error.message);
        run.ended(error);
      }
    }
    run.done++;
    counted++;
    run.changed();
  }
  run.active--;
  if (run.active > 0) return;
  endTime = performance.now();
  run.ended();
  run.changed();
}

addEventListener('beforeunload', (event) => {
  if (busy()) event.preventDefault();
});
