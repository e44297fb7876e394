// Small things every page needs: elements, numbers as people read them, the notices at the top, the dialog.

// h('button', {class: 'quiet', onclick}, 'Text', child, [children]): text is always text, never markup.
export function h(tag, props = {}, ...children) {
  const [name, space] = tag.startsWith('svg:') ? [tag.slice(4), 'http://www.w3.org/2000/svg'] : [tag, null];
  const element = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on'))
      element.addEventListener(key.slice(2), value);
    else if (key === 'style')
      Object.assign(element.style, value);
    else if (key === 'value' || key === 'checked' || key === 'disabled' || key === 'open')
      element[key] = value;
    else
      element.setAttribute(key, value === true ? '' : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const $ = (selector, root = document) => root.querySelector(selector);

const units = ['B', 'kB', 'MB', 'GB', 'TB'];
export function bytes(count) {
  let value = Number(count) || 0;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(value < 10 && unit ? 1 : 0)} ${units[unit]}`;
}
export const count = (number) => Number(number || 0).toLocaleString('en');
export const plural = (number, noun) => `${count(number)} ${noun}${Number(number) === 1 ? '' : 's'}`;
export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` :
                        `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
}
export const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
export const when = (time) => time ? new Date(time).toLocaleString() : '–';
export function ago(time) {
  const seconds = (Date.now() - new Date(time)) / 1000;
  return seconds < 86400 ? `${duration(Math.max(0, seconds))} ago` :
                           `${plural(Math.floor(seconds / 86400), 'day')} ago`;
}

// An error stays until it is closed or the next thing succeeds; anything else goes by itself.
export function notify(text, kind = 'info') {
  const box = $('#notices');
  const notice = h('div', {class: `notice ${kind}`}, h('span', {}, text),
    h('button', {class: 'quiet', 'aria-label': 'Close', onclick: () => notice.remove()}, '×'));
  for (const old of [...box.children])
    if (old.firstChild.textContent === text) old.remove();
  box.append(notice);
  while (box.children.length > 4) box.firstChild.remove();
  if (kind !== 'error') setTimeout(() => notice.remove(), 6000);
}
export const clearErrors = () => {
  for (const old of document.querySelectorAll('.notice.error')) old.remove();
};

// A modal dialog with a title; Esc and the button close it. There is one: opening it again ends the one before, whose
// `closed` is called once all the same.
let finish = null;
export function openDialog(title, content, {wide = false, closed} = {}) {
  const dialog = $('#dialog');
  finish?.();
  if (dialog.open) dialog.close();
  finish = () => {
    finish = null;
    dialog.replaceChildren();
    closed?.();
  };
  dialog.className = wide ? 'wide' : '';
  dialog.replaceChildren(h('div', {class: 'dialog-head'}, h('h2', {id: 'dialog-title'}, title),
                           h('button', {class: 'quiet', 'aria-label': 'Close', onclick: () => dialog.close()}, '×')),
    ...[content].flat());
  // The event comes later than close(): by then the next dialog may be open.
  dialog.onclose = () => {
    if (!dialog.open) finish?.();
  };
  let pressed = null;  // selecting text out of the dialog is no click beside it
  dialog.onpointerdown = (event) => {
    pressed = event.target;
  };
  dialog.onclick = (event) => {
    if (event.target === dialog && pressed === dialog) dialog.close();
  };
  dialog.showModal();
  return dialog;
}

export function confirmed(title, text, action, kind = 'danger') {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = openDialog(title,
      [
        h('p', {}, text),
        h('div', {class: 'row end'}, h('button', {onclick: () => dialog.close()}, 'Cancel'),
          h('button', {
            class: kind,
            onclick: () => {
              answer = true;
              dialog.close();
            }
          },
            action))
      ],
      {closed: () => resolve(answer)});
  });
}

export function field(label, input, hint) {
  return h('label', {class: 'field'}, h('span', {}, label), input, hint && h('small', {}, hint));
}

export const option = (value, text, chosen) => h('option', {value, selected: value === chosen}, text);

export function table(heads, rows, props = {}) {
  return h('table', props, h('thead', {}, h('tr', {}, heads.map((text) => h('th', {scope: 'col'}, text)))),
    h('tbody', {}, rows.map((row) => h('tr', {}, row.map((cell) => h('td', {}, cell))))));
}

export function progressBar(done, total, label) {
  const known = Number(total) > 0;
  return h('progress', {'aria-label': label, ...(known ? {max: String(total), value: Number(done)} : {})});
}

// A preview of an indexed image. `url`: a promise of its address.
export function preview(url, label) {
  const image = h('img', {alt: label, loading: 'lazy'});
  const missing = () => image.replaceWith(h('span', {class: 'no-picture'}, 'no preview'));
  image.onerror = missing;
  url.then((address) => {
    image.src = address;
  }, missing);
  return image;
}

export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], {type}));
  h('a', {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
