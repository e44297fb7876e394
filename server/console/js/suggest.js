// A text field with a list of what could come next, by the combobox pattern: arrows choose, Enter or Tab takes, Esc
// closes. The list is asked for while somebody types, and an answer that comes late is dropped.
import {count, h} from './dom.js';

const kShown = 8;
let lists = 0;

// `ask(text before the caret)`: a promise of [{text, insert, count, from}]. `taken` is called when one was put in.
export function withSuggestions(input, ask, taken) {
  const id = `suggestions-${++lists}`;
  const list = h('ul', {class: 'suggestions', role: 'listbox', id, hidden: true, 'aria-label': 'Suggestions'});
  let offered = [];
  let chosen = -1;
  let asked = 0;

  function close() {
    asked++;
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  }
  function mark(index) {
    chosen = index;
    [...list.children].forEach((one, i) => one.setAttribute('aria-selected', String(i === index)));
    if (index < 0)
      input.removeAttribute('aria-activedescendant');
    else
      input.setAttribute('aria-activedescendant', list.children[index].id);
  }
  function take(one) {
    const at = input.selectionStart;
    input.setRangeText(one.insert, one.from, at, 'end');
    close();
    taken();
    offer();
  }
  async function offer() {
    const mine = ++asked;
    try {
      const found = await ask(input.value.slice(0, input.selectionStart));
      if (mine !== asked || document.activeElement !== input) return;
      offered = found.slice(0, kShown);
    } catch {
      offered = [];  // the field works without
    }
    list.replaceChildren(...offered.map((one, index) => h('li', {
      role: 'option',
      id: `${id}-${index}`,
      onpointerdown: (event) => {
        event.preventDefault();
        take(one);
      }
    },
                                          h('span', {class: 'name'}, one.text),
                                          one.count !== undefined && h('span', {class: 'soft'}, count(one.count)))));
    list.hidden = offered.length === 0;
    input.setAttribute('aria-expanded', String(!list.hidden));
    mark(-1);
  }

  for (const [name, value] of Object.entries({
         role: 'combobox',
         autocomplete: 'off',
         'aria-autocomplete': 'list',
         'aria-expanded': 'false',
         'aria-controls': id
       })) {
    input.setAttribute(name, value);
  }
  input.addEventListener('input', offer);
  input.addEventListener('focus', offer);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    if (list.hidden) return;
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (step)
      mark((chosen + step + offered.length + (chosen < 0 && step < 0 ? 1 : 0)) % offered.length);
    else if ((event.key === 'Enter' || event.key === 'Tab') && chosen >= 0)
      take(offered[chosen]);
    else if (event.key === 'Escape')
      close();
    else
      return;
    event.preventDefault();
    event.stopPropagation();
  });
  return h('div', {class: 'suggesting'}, input, list);
}
