// What the browser remembers for this page, where it remembers anything: some people's browsers refuse.
const within = (storage, work) => {
  try {
    return work(window[storage]);
  } catch {
    return null;
  }
};
const set = (store, name, value) => (value ? store.setItem(name, value) : store.removeItem(name), true);

// Until the tab is closed.
export const tab = {
  get: (name) => within('sessionStorage', (store) => store.getItem(name)),
  set: (name, value) => within('sessionStorage', (store) => set(store, name, value)),
};
// Until somebody clears it; `set` returns null where there is no room.
export const browser = {
  get: (name) => within('localStorage', (store) => store.getItem(name)),
  set: (name, value) => within('localStorage', (store) => set(store, name, value)),
};
