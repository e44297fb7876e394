// How much of the exact answer an index finds, measured here: images of the collection search for themselves and their
// neighbours, once as every search goes and once exactly.
import {collectionPath, get, post, withParameters} from './api.js';

const kQueries = 20;
const kTop = 10;

// {found, wanted, queries}; `tell(share)` while it goes on.
export async function measureRecall(collection, tell, signal) {
  const {images = []} = await get(
    withParameters(`${collectionPath(collection)}/images`, {pageSize: 1000, view: 'IMAGE_VIEW_METADATA'}), signal);
  const step = Math.max(1, Math.floor(images.length / kQueries));
  const ids = images.filter((_, index) => index % step === 0).slice(0, kQueries).map((one) => one.id);
  const search = async (id, exact) => {
    const {results = []} = await post(`${collectionPath(collection)}:search`,
      {query: {parts: [{id}]}, topK: kTop, exact, rerank: {method: 'METHOD_OFF'}}, [], signal);
    return results.map((one) => one.id);
  };
  let [found, wanted] = [0, 0];
  for (const [index, id] of ids.entries()) {
    const [usual, exact] = await Promise.all([search(id, false), search(id, true)]);
    wanted += exact.length;
    found += exact.filter((one) => usual.includes(one)).length;
    tell((index + 1) / ids.length);
  }
  return {found, wanted, queries: ids.length, top: kTop};
}
