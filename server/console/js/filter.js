// Filters as text (docs/filters.md): what an attribute is written as, and what may come next while somebody types.
import {collectionPath, get, withParameters} from './api.js';

const keywords = /^(and|or|not|in|exists|true|false)$/i;
const kSample = 200;  // images whose attributes say which keys there are
const kValues = 100;

// What an attribute holds, as text.
export function attributeText(value) {
  if (value.stringList) return (value.stringList.values || []).join(', ');
  return String(value.stringValue ?? value.int64Value ?? value.doubleValue ?? value.boolValue ?? '');
}

const quoted = (text) => `"${
  text.replaceAll(/["\\]/g, '\\$&')
    .replaceAll(/[\u0000-\u001f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
const key = (name) => /^[A-Za-z][\w.-]{0,63}$/.test(name) && !keywords.test(name) ? name : quoted(name);
export function literal(value) {
  if (value.stringValue !== undefined) return quoted(value.stringValue);
  return attributeText(value);
}

// The condition that finds images with this value; of a list, with all of its texts.
export function condition(name, value) {
  const values = value.stringList ? (value.stringList.values || []).map((one) => ({stringValue: one})) : [value];
  return values.length ? values.map((one) => `${key(name)} = ${literal(one)}`).join(' AND ') : `EXISTS ${key(name)}`;
}
export const anyOf = (name, values) => `${key(name)} IN (${values.map(literal).join(', ')})`;
export function both(first, second) {
  if (!first.trim()) return second;
  if (first.split(' AND ').includes(second)) return first;
  return /\bor\b/i.test(first) ? `(${first}) AND ${second}` : `${first} AND ${second}`;
}

// Keys and values of a collection with how often they occur, asked for once.
let known = {collection: null};
function facets(collection) {
  if (known.collection !== collection) known = {collection, keys: null, values: new Map()};
  return known;
}
export const forgetFacets = () => {
  known = {collection: null};
};

export function keysOf(collection) {
  const cache = facets(collection);
  cache.keys ??=
    get(withParameters(`${collectionPath(collection)}/images`, {pageSize: kSample, view: 'IMAGE_VIEW_METADATA'}))
      .then(({images = []}) => {
        const counts = new Map();
        for (const image of images)
          for (const name of Object.keys(image.attributes || {})) counts.set(name, (counts.get(name) || 0) + 1);
        return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
      });
  cache.keys.catch(() => {
    cache.keys = null;
  });
  return cache.keys;
}

// [{value, count}], most frequent first; of images that satisfy `filter`.
export async function valuesOf(collection, name, filter = '') {
  const path = `${collectionPath(collection)}/attributes/${encodeURIComponent(name)}`;
  return (await get(withParameters(path, {pageSize: kValues, filter}))).values || [];
}
function knownValues(collection, name) {
  const {values} = facets(collection);
  if (!values.has(name)) {
    const asked = valuesOf(collection, name);
    values.set(name, asked);
    asked.catch(() => values.delete(name));
  }
  return values.get(name);
}

const word = '([A-Za-z][\\w.-]*|"(?:[^"\\\\]|\\\\.)*")';
const part = '("(?:[^"\\\\]|\\\\.)*|\'(?:[^\'\\\\]|\\\\.)*|[\\w.+-]*)$';
const atValue = new RegExp(`${word}\\s*(?:==?|!=|<=?|>=?|\\bIN\\s*\\((?:[^()]*,)?)\\s*${part}`, 'i');
const atKey = /(?:^|\(|\bAND\s|\bOR\s|\bNOT\s|\bEXISTS[\s(])\s*([A-Za-z][\w.-]*)?$/i;

// What could come where `before` ends: [{text: shown, insert, count, from: where the insertion begins}].
export async function suggestions(collection, before) {
  const value = atValue.exec(before);
  if (value) {
    const name = value[1].startsWith('"') ? JSON.parse(value[1]) : value[1];
    const typed = value[2].replace(/^["']/, '').toLowerCase();
    return (await knownValues(collection, name))
      .filter((one) => attributeText(one.value).toLowerCase().includes(typed))
      .map((one) => ({
        text: attributeText(one.value),
        insert: `${literal(one.value)} `,
        count: one.count,
        from: before.length - value[2].length
      }));
  }
  const start = atKey.exec(before);
  if (!start) return [];
  const typed = (start[1] || '').toLowerCase();
  return (await keysOf(collection))
    .filter((name) => name.toLowerCase().includes(typed))
    .map((name) => ({text: name, insert: `${key(name)} = `, from: before.length - (start[1] || '').length}));
}
