'use strict';
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  // Blue to yellow with rising lightness: told apart with any kind of colour vision, and in grey. As in the style.
  const LINE_RAMP = [[79, 125, 240], [47, 179, 176], [143, 209, 79], [255, 231, 74]];
  const HEAT_RAMP = [[0, 0, 8], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
  const THINNEST = 2, THICKEST = 7;
  // Side by side needs this much room; a phone has less.
  const NARROW = 640;

  const make = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (parent) parent.appendChild(element);
    return element;
  };
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const mix = (ramp, share) => {
    const at = clamp(share, 0, 1) * (ramp.length - 1);
    const i = Math.min(Math.floor(at), ramp.length - 2);
    return ramp[i].map((low, c) => Math.round(low + (ramp[i + 1][c] - low) * (at - i)));
  };
  const rgb = (colour) => `rgb(${colour.join(',')})`;

  const controls = document.querySelector('.controls');
  if (!controls) return;
  const control = (name) => controls.querySelector(`[name=${name}]`);

  // One match: two pictures and what joins them.
  class Match {
    constructor(section) {
      this.stage = section.querySelector('.stage');
      this.readout = section.querySelector('.readout');
      this.sides = ['query', 'result'].map((side) => this.side(side));
      const numbers = section.querySelector('.numbers');
      this.numbers = numbers ? JSON.parse(numbers.textContent) : null;
      this.pairs = this.numbers ? this.numbers.pairs : [];
      this.rows = [...section.querySelectorAll('tr[data-pair]')];
      this.chosen = [];
      if (this.numbers) {
        this.heat(0, this.numbers.query_heat);
        this.heat(1, this.numbers.result_heat);
        this.rest();
      }
    }

    side(name) {
      const figure = this.stage.querySelector(`[data-side=${name}]`);
      return {
        figure,
        frame: figure.querySelector('.frame'),
        image: figure.querySelector('img'),
        width: Number(figure.dataset.width),
        height: Number(figure.dataset.height),
        crops: JSON.parse(figure.dataset.crops),
      };
    }

    // The picture's own size; a field that stands for one has the size of what it stands for.
    size(side) {
      if (side.image && side.image.naturalWidth) return [side.image.naturalWidth, side.image.naturalHeight];
      return side.width > 0 ? [side.width, side.height] : [320, 240];
    }

    // Both pictures as large as the window allows, side by side or one above the other, whichever is larger.
    layout() {
      const room = this.stage.clientWidth;
      const height = window.innerHeight;
      const most = matches.length > 1 ? clamp(height * 0.5, 240, 440) : clamp(height * 0.72, 280, 760);
      const fit = (side, width) => {
        const [w, h] = this.size(side);
        // However long the picture is, its short side can be seen; small previews grow four times.
        const least = Math.min(40 / Math.min(w, h), width / w);
        const scale = Math.max(Math.min(width / w, most / h, Math.max(4, 240 / w)), least);
        return [w * scale, h * scale];
      };
      const area = (width) => this.sides.reduce((sum, side) => sum + fit(side, width)[0] * fit(side, width)[1], 0);
      const half = (room - clamp(room * 0.09, 40, 140)) / 2;
      const stacked = room < NARROW || area(room) > 2.5 * area(half);
      this.stage.classList.toggle('stacked', stacked);
      this.stage.style.gap = stacked ? '56px' : '';
      // Two narrow pictures stand together in the middle, not at the far edges.
      this.stage.style.justifyContent = '';
      const sizes = this.sides.map((side) => fit(side, stacked ? room : half));
      if (!stacked) {
        const gap = clamp(room * 0.09, 40, 140);
        this.stage.style.justifyContent = 'center';
        this.stage.style.gap = `${gap}px`;
      }
      this.sides.forEach((side, i) => {
        const [width, height] = sizes[i];
        side.frame.style.width = `${width}px`;
        side.frame.style.height = `${height}px`;
        side.figure.style.maxWidth = stacked ? '100%' : `${Math.max(width, 120)}px`;
        if (side.image) {
          side.image.style.width = `${width}px`;
          side.image.style.height = `${height}px`;
        }
        this.crops(side);
      });
      this.draw();
    }

    crops(side) {
      side.frame.querySelectorAll('.crop').forEach((old) => old.remove());
      const [w, h] = side.width > 0 ? [side.width, side.height] : this.size(side);
      for (const [x0, y0, x1, y1, pixels] of side.crops) {
        const box = document.createElement('div');
        // What was not looked at is dimmed; with several boxes they would dim each other.
        box.className = side.crops.length === 1 ? 'crop only' : 'crop';
        const [across, down] = pixels ? [100 / w, 100 / h] : [100, 100];
        this.place(box, [x0 * across, y0 * down, x1 * across, y1 * down]);
        side.frame.appendChild(box);
      }
    }

    // Edges in percent of the frame.
    place(element, [left, top, right, bottom]) {
      const edges = [left, top, right, bottom].map((edge) => clamp(edge, 0, 100));
      element.style.left = `${edges[0]}%`;
      element.style.top = `${edges[1]}%`;
      element.style.width = `${edges[2] - edges[0]}%`;
      element.style.height = `${edges[3] - edges[1]}%`;
    }

    heat(at, map) {
      if (!map) return;
      const canvas = document.createElement('canvas');
      canvas.width = map.width;
      canvas.height = map.height;
      const context = canvas.getContext('2d');
      const pixels = context.createImageData(map.width, map.height);
      const most = Math.max(...map.values, 1e-12);
      map.values.forEach((value, i) => {
        pixels.data.set([...mix(HEAT_RAMP, value / most), 255], 4 * i);
      });
      context.putImageData(pixels, 0, 0);
      canvas.hidden = true;
      this.place(canvas, (map.region || [0, 0, 1, 1]).map((edge) => 100 * edge));
      const side = this.sides[at];
      side.frame.appendChild(canvas);
      side.canvas = canvas;
    }

    showHeat() {
      ['query_heat', 'result_heat'].forEach((name, i) => {
        const canvas = this.sides[i].canvas;
        if (!canvas) return;
        canvas.hidden = !control(name).checked;
        canvas.style.opacity = Number(control('opacity').value) / 100;
      });
    }

    // The rectangle of a patch, in the stage's coordinates.
    patch(side, box) {
      const stage = this.stage.getBoundingClientRect();
      const frame = side.frame.getBoundingClientRect();
      const [x0, y0, x1, y1] = box.map((edge) => clamp(edge, 0, 1));
      return {
        x: frame.left - stage.left + x0 * frame.width,
        y: frame.top - stage.top + y0 * frame.height,
        width: Math.max((x1 - x0) * frame.width, 2),
        height: Math.max((y1 - y0) * frame.height, 2),
      };
    }

    // Where the line from the middle of `from` to the middle of `to` leaves `from`: the patch itself stays visible.
    leave(from, to) {
      const x = from.x + from.width / 2, y = from.y + from.height / 2;
      const dx = to.x + to.width / 2 - x, dy = to.y + to.height / 2 - y;
      const [across, down] = [Math.max(Math.abs(dx), 1e-6), Math.max(Math.abs(dy), 1e-6)];
      const reach = Math.min(from.width / 2 / across, from.height / 2 / down, 1);
      return [x + dx * reach, y + dy * reach];
    }

    draw() {
      const active = document.activeElement;
      const focused = this.svg && this.svg.contains(active) ? active.dataset.index : null;
      if (this.svg) this.svg.remove();
      this.chosen = [];
      const name = 'Matching patches, strongest first; arrow keys go from one to the next';
      this.svg = make('svg', {class: 'lines', role: 'group', 'aria-label': name});
      this.stage.appendChild(this.svg);
      this.groups = [];
      if (!control('lines').checked) return this.rest();
      const shown = this.pairs.slice(0, Number(control('count').value));
      const heaviest = Math.max(...this.pairs.map((pair) => pair.mass), 1e-12);
      // The strongest last, on top of the others.
      this.groups = shown.map((pair, i) => this.pair(pair, i, shown.length, heaviest));
      [...this.groups].reverse().forEach((group) => this.svg.appendChild(group));
      if (this.groups.length) this.groups[0].setAttribute('tabindex', 0);
      this.rest();
      if (focused !== null && this.groups[focused]) this.groups[focused].focus();
    }

    pair(pair, index, of, heaviest) {
      const a = this.patch(this.sides[0], pair.query), b = this.patch(this.sides[1], pair.result);
      const [x1, y1] = this.leave(a, b), [x2, y2] = this.leave(b, a);
      const colour = rgb(mix(LINE_RAMP, (pair.cosine - scale.low) / (scale.high - scale.low)));
      const width = THINNEST + (THICKEST - THINNEST) * clamp(pair.mass / heaviest, 0, 1);
      const group = make('g', {class: 'pair', tabindex: -1, role: 'img', 'data-index': index,
        'aria-label': `${index + 1} of ${of}: ${this.words(pair)}`});
      for (const box of [a, b]) {
        make('rect', {class: 'casing', ...box, 'stroke-width': 5}, group);
        make('rect', {class: 'box', ...box, stroke: colour}, group);
      }
      const line = {x1, y1, x2, y2};
      make('line', {class: 'casing', ...line, 'stroke-width': width + 3}, group);
      make('line', {class: 'line', ...line, stroke: colour, 'stroke-width': width}, group);
      const hit = make('line', {class: 'hit', ...line}, group);
      hit.addEventListener('pointerenter', () => this.choose([index]));
      group.querySelectorAll('.box').forEach((box, side) => {
        box.addEventListener('pointerenter', () => this.choose(this.sharing(index, side)));
      });
      group.addEventListener('pointerleave', () => this.rest());
      group.addEventListener('focus', () => this.choose([index]));
      group.addEventListener('blur', () => this.rest());
      group.addEventListener('keydown', (event) => {
        const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
        if (!step) return;
        event.preventDefault();
        const next = this.groups[(index + step + this.groups.length) % this.groups.length];
        group.setAttribute('tabindex', -1);
        next.setAttribute('tabindex', 0);
        next.focus();
      });
      return group;
    }

    // The shown pairs that have the same patch on this side.
    sharing(index, side) {
      const key = side === 0 ? 'query' : 'result';
      const same = this.pairs[index][key].join();
      return this.groups.map((_, i) => i).filter((i) => this.pairs[i][key].join() === same);
    }

    words(pair) {
      const share = this.numbers.mass > 0 ? ` (${(100 * pair.mass / this.numbers.mass).toFixed(1)} % of all)` : '';
      return `mass ${pair.mass.toFixed(4)}${share}, cosine ${pair.cosine.toFixed(4)}`;
    }

    choose(indices) {
      this.chosen = indices;
      this.svg.classList.add('chosen');
      this.groups.forEach((group, i) => group.classList.toggle('on', indices.includes(i)));
      const rows = indices.map((i) => String(this.pairs[i].row));
      this.rows.forEach((row) => row.classList.toggle('on', rows.includes(row.dataset.pair)));
      const first = this.pairs[indices[0]];
      this.readout.textContent = indices.length === 1
        ? `Pair ${indices[0] + 1} of ${this.pairs.length}: ${this.words(first)}`
        : `${indices.length} pairs of this patch, together mass ` +
          `${indices.reduce((sum, i) => sum + this.pairs[i].mass, 0).toFixed(4)}; the strongest: ${this.words(first)}`;
    }

    rest() {
      if (this.svg) {
        this.svg.classList.remove('chosen');
        this.svg.querySelectorAll('.on').forEach((group) => group.classList.remove('on'));
      }
      this.rows.forEach((row) => row.classList.remove('on'));
      if (!this.readout) return;
      const hint = 'Point at a line or a patch, or walk through them with Tab and the arrow keys, for its numbers.';
      this.readout.textContent = this.pairs.length ? hint : 'No patch of A matches a patch of B.';
    }
  }

  // The first picture of A serves every match.
  const first = document.querySelector('.picture[data-side=query] img:not(.again)');
  document.querySelectorAll('img.again').forEach((image) => { if (first) image.src = first.src; });

  const matches = [...document.querySelectorAll('.match')].map((section) => new Match(section));
  const all = matches.flatMap((match) => match.pairs);

  // One scale of colours for the page, on round numbers, and never so narrow that noise looks like a difference.
  const scale = {low: 0, high: 1};
  if (all.length) {
    scale.low = Math.floor(20 * Math.min(...all.map((pair) => pair.cosine))) / 20;
    scale.high = Math.ceil(20 * Math.max(...all.map((pair) => pair.cosine))) / 20;
    if (scale.high - scale.low < 0.1) scale.low = scale.high - 0.1;
  }

  const longest = Math.max(1, ...matches.map((match) => match.pairs.length));
  const count = control('count');
  count.max = longest;
  count.value = Math.min(longest, 12);

  const legend = () => {
    controls.querySelector('.low').textContent = scale.low.toFixed(2);
    controls.querySelector('.high').textContent = scale.high.toFixed(2);
    const widths = controls.querySelector('.widths');
    make('line', {x1: 4, y1: 8, x2: 20, y2: 8, 'stroke-width': THINNEST}, widths);
    make('line', {x1: 36, y1: 8, x2: 54, y2: 8, 'stroke-width': THICKEST}, widths);
  };
  const say = () => { controls.querySelector('output').textContent = `${count.value} of ${longest}`; };

  if (all.length || matches.some((match) => match.sides.some((side) => side.canvas))) controls.hidden = false;
  legend();
  say();
  controls.addEventListener('input', (event) => {
    say();
    if (event.target.name === 'lines' || event.target.name === 'count') matches.forEach((match) => match.draw());
    matches.forEach((match) => match.showHeat());
  });

  // A browser that reloads the page may keep what was ticked.
  matches.forEach((match) => match.showHeat());
  const layout = () => matches.forEach((match) => match.layout());
  document.querySelectorAll('img').forEach((image) => {
    if (!image.complete) image.addEventListener('load', layout);
  });
  window.addEventListener('resize', layout);
  layout();
})();
