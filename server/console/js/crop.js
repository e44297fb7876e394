// A picture with crop boxes on it. Boxes are fractions of the picture as it is shown, which is after its EXIF rotation,
// as the server means them. One box is there at once, around everything; dragging over it draws a smaller one, and with
// Shift, or after `addBox`, another one.
import {h} from './dom.js';

const kLeast = 0.02;  // of the picture, so that a box can still be taken hold of
const kMaxBoxes = 8;
const edges = {
  nw: ['x0', 'y0'],
  n: [null, 'y0'],
  ne: ['x1', 'y0'],
  e: ['x1', null],
  se: ['x1', 'y1'],
  s: [null, 'y1'],
  sw: ['x0', 'y1'],
  w: ['x0', null]
};
const whole = () => ({x0: 0, y0: 0, x1: 1, y1: 1});
const isPart = (box) => box.x0 > 0 || box.y0 > 0 || box.x1 < 1 || box.y1 < 1;

export class CropView {
  // `changed` is called when a box has been moved, not while it moves.
  constructor(source, {alt, changed}) {
    this.boxes = [whole()];
    this.changed = changed;
    this.image = h('img', {src: source, alt, draggable: 'false'});
    this.element = h(
      'div', {class: 'crop', ondblclick: () => this.reset(), onpointerdown: (event) => this.press(event)}, this.image);
    this.draw();
  }

  // Those that are less than the whole picture.
  crops() {
    return this.boxes.filter(isPart);
  }

  reset() {
    this.boxes = [whole()];
    this.draw();
    this.changed();
  }

  // For those who cannot hold Shift: a box in the middle, to be dragged.
  addBox() {
    if (this.boxes.length >= kMaxBoxes) return;
    this.boxes = [...this.crops(), {x0: 0.25, y0: 0.25, x1: 0.75, y1: 0.75}];
    this.draw(this.boxes.length - 1);
    this.changed();
  }

  draw(focus) {
    for (const old of this.element.querySelectorAll('.crop-box')) old.remove();
    this.boxes.forEach((box, index) => {
      const element = h('div', {
        class: 'crop-box',
        tabindex: '0',
        role: 'group',
        'data-index': index,
        'aria-label':
          `Crop ${index + 1} of ${this.boxes.length}. Arrows move it, Shift and arrows size it, Delete removes it.`,
        onkeydown: (event) => this.key(event, index)
      },
        Object.keys(edges).map((edge) => h('i', {class: `handle ${edge}`, 'data-edge': edge})));
      this.element.append(element);
      this.place(element, box);
      if (focus === index) element.focus();
    });
  }

  place(element, box) {
    element.classList.toggle('some', isPart(box));
    Object.assign(element.style, {
      left: `${100 * box.x0}%`,
      top: `${100 * box.y0}%`,
      width: `${100 * (box.x1 - box.x0)}%`,
      height: `${100 * (box.y1 - box.y0)}%`
    });
  }

  point(event) {
    const frame = this.image.getBoundingClientRect();
    const clamp = (value) => Math.min(1, Math.max(0, value));
    return {x: clamp((event.clientX - frame.left) / frame.width), y: clamp((event.clientY - frame.top) / frame.height)};
  }

  press(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    const start = this.point(event);
    let index = Number(event.target.closest('.crop-box')?.dataset.index ?? -1);
    let edge = event.target.dataset.edge;
    const untouched = this.crops().length === 0;
    // A finger that moves over the whole photo scrolls the page.
    const draws = event.shiftKey ? this.boxes.length < kMaxBoxes : untouched && !edge && event.pointerType !== 'touch';
    if (!draws && (index < 0 || (untouched && !edge))) return;
    event.preventDefault();
    let box;
    let before;
    let element;
    const begin = () => {
      if (draws) {
        if (untouched) this.boxes = [];  // the box around everything gives way to the first that is drawn
        index = this.boxes.push({x0: start.x, y0: start.y, x1: start.x, y1: start.y}) - 1;
        edge = 'se';
        this.draw();
      }
      box = this.boxes[index];
      before = {...box};
      element = this.element.querySelectorAll('.crop-box')[index];
      element.focus({preventScroll: true});
    };
    if (!draws) begin();  // a click alone draws nothing: a double click needs the element it began on
    const move = (now) => {
      if (now.pointerId !== event.pointerId) return;
      const at = this.point(now);
      if (!box) begin();
      // What is drawn may grow to any side of where it began.
      if (draws)
        Object.assign(box, {
          x0: Math.min(start.x, at.x),
          x1: Math.max(start.x, at.x),
          y0: Math.min(start.y, at.y),
          y1: Math.max(start.y, at.y)
        });
      else
        this.change(box, before, edge, at.x - start.x, at.y - start.y);
      this.place(element, box);
    };
    const release = (now) => {
      if (now.pointerId !== event.pointerId) return;
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', release);
      removeEventListener('pointercancel', release);
      if (!box) return;
      if (box.x1 - box.x0 < kLeast || box.y1 - box.y0 < kLeast) {
        this.boxes.splice(index, 1);
        if (this.boxes.length === 0) this.boxes = [whole()];
        this.draw();
        if (draws && untouched) return;
      }
      if (JSON.stringify(box) !== JSON.stringify(before)) this.changed();
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', release);
    addEventListener('pointercancel', release);
  }

  change(box, before, edge, dx, dy) {
    if (!edge) {
      const x = Math.min(1 - before.x1, Math.max(-before.x0, dx));
      const y = Math.min(1 - before.y1, Math.max(-before.y0, dy));
      Object.assign(box, {x0: before.x0 + x, x1: before.x1 + x, y0: before.y0 + y, y1: before.y1 + y});
      return;
    }
    const set = (side, delta) => {
      if (!side) return;
      const other = side[0] + (side[1] === '0' ? '1' : '0');
      const value = Math.min(1, Math.max(0, before[side] + delta));
      box[side] = side[1] === '0' ? Math.min(value, before[other]) : Math.max(value, before[other]);
    };
    set(edges[edge][0], dx);
    set(edges[edge][1], dy);
  }

  key(event, index) {
    const step = event.ctrlKey ? 0.1 : 0.02;
    const [dx, dy] = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0,
                        step]}[event.key] ||
      [0, 0];
    if (event.key === 'Delete' || event.key === 'Backspace') {
      this.boxes.splice(index, 1);
      if (this.boxes.length === 0) this.boxes = [whole()];
      this.draw(0);
    } else if (dx || dy) {
      const box = this.boxes[index];
      const before = {...box};
      this.change(box, before, event.shiftKey ? 'se' : null, dx, dy);
      // A box around everything cannot be moved, and shrinks from the side the arrow comes from.
      if (!event.shiftKey && before.x0 === box.x0 && before.y0 === box.y0)
        this.change(box, before, dx > 0 ? 'w' : dx < 0 ? 'e' : dy > 0 ? 'n' : 's', dx, dy);
      if (box.x1 - box.x0 < kLeast || box.y1 - box.y0 < kLeast) Object.assign(box, before);
      this.draw(index);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.changed(), 400);
  }
}
