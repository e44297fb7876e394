// Why two images match: both side by side, lines between the patches that were matched, as thick as the mass that was
// transported and coloured by their similarity; or heat-maps of that mass. Pointing at a patch leaves only its lines.
import {h, percent} from './dom.js';

const kHeight = 0.46;  // of the window, at most

const hue = (cosine) => Math.round(20 + 140 * Math.min(1, Math.max(0, (cosine - 0.2) / 0.7)));  // orange to green

// `query` and `result`: {url, label}. {element, ready}: ready when both pictures are there, or will never be.
export function evidenceView(evidence, query, result, height = kHeight) {
  const pairs = evidence.correspondences || [];
  const pictures = [query, result].map((side) => h('img', {src: side.url, alt: side.label}));
  const canvases = pictures.map(() => h('canvas', {class: 'heat', hidden: true}));
  const figures = [query, result].map(
    (side, index) =>
      h('figure', {}, h('div', {class: 'shown'}, pictures[index], canvases[index]), h('figcaption', {}, side.label)));
  const lines = h('svg:svg', {class: 'lines', 'aria-hidden': 'true'});
  const stage = h('div', {class: 'evidence'}, figures, lines);
  const sides = ['queryBox', 'resultBox'];
  let mode = 'lines';
  let only = null;  // [side, key of a box] that is pointed at

  const keyOf = (box) => ['x0', 'y0', 'x1', 'y1'].map((side) => (box[side] || 0).toFixed(3)).join(' ');

  function frames() {
    const origin = stage.getBoundingClientRect();
    return pictures.map((picture) => {
      const frame = picture.getBoundingClientRect();
      return {x: frame.left - origin.left, y: frame.top - origin.top, width: frame.width, height: frame.height};
    });
  }

  // Both as large as there is room for: previews are small.
  function size() {
    pictures.forEach((picture, index) => {
      const shape = picture.naturalWidth / picture.naturalHeight;
      if (shape > 0) picture.style.width = `${Math.min(figures[index].clientWidth, height * innerHeight * shape)}px`;
    });
  }

  function draw() {
    size();
    const box = stage.getBoundingClientRect();
    lines.setAttribute('viewBox', `0 0 ${box.width} ${box.height}`);
    lines.replaceChildren();
    canvases.forEach((canvas) => {
      canvas.hidden = mode !== 'heat';
    });
    if (mode !== 'lines') return;
    const at = frames();
    const most = Math.max(...pairs.map((pair) => pair.mass || 0), 1e-9);
    const place = (frame, part) => ({
      x: frame.x + frame.width * (part.x0 || 0),
      y: frame.y + frame.height * (part.y0 || 0),
      width: frame.width * ((part.x1 || 0) - (part.x0 || 0)),
      height: frame.height * ((part.y1 || 0) - (part.y0 || 0))
    });
    for (const pair of [...pairs].reverse()) {
      const shown = !only || keyOf(pair[sides[only[0]]]) === only[1];
      const colour = `hsl(${hue(pair.cosine || 0)} 85% 45%)`;
      const share = (pair.mass || 0) / most;
      const boxes = sides.map((side, index) => place(at[index], pair[side]));
      const centre = (part) => [part.x + part.width / 2, part.y + part.height / 2];
      const [[x1, y1], [x2, y2]] = boxes.map(centre);
      const group = h('svg:g', {class: shown ? 'pair' : 'pair dim'}, h('svg:path', {
        d: `M${x1} ${y1}L${x2} ${y2}`,
        class: 'casing',
        'stroke-width': (3 + 4 * share).toFixed(1)
      }),  // seen on any picture
        h('svg:line', {
          x1,
          y1,
          x2,
          y2,
          stroke: colour,
          'stroke-width': (1 + 4 * share).toFixed(1),
          opacity: (0.55 + 0.45 * share).toFixed(2)
        }),
        boxes.map(
          (part, index) => h('svg:rect', {
            ...part,
            rx: 2,
            stroke: colour,
            class: 'patch',
            onpointerenter: () => {
              only = [index, keyOf(pair[sides[index]])];
              dim();
            },
            onpointerleave: () => {
              only = null;
              dim();
            }
          },
            h('svg:title', {}, `mass ${percent(pair.mass || 0, 1)}, cosine ${(pair.cosine || 0).toFixed(2)}`))));
      group.pair = pair;
      lines.append(group);
    }
  }

  // Redrawing under the pointer would take the patch away from it.
  function dim() {
    for (const group of lines.children) {
      group.classList.toggle('dim', only !== null && keyOf(group.pair[sides[only[0]]]) !== only[1]);
    }
  }

  function drawHeat() {
    [evidence.queryHeatMap, evidence.resultHeatMap].forEach((map, index) => {
      if (!map?.width) return;
      const canvas = canvases[index];
      const region = map.region || {x0: 0, y0: 0, x1: 1, y1: 1};
      Object.assign(canvas, {width: map.width, height: map.height});
      Object.assign(canvas.style, {
        left: `${100 * (region.x0 || 0)}%`,
        top: `${100 * (region.y0 || 0)}%`,
        width: `${100 * (region.x1 - (region.x0 || 0))}%`,
        height: `${100 * (region.y1 - (region.y0 || 0))}%`
      });
      const context = canvas.getContext('2d');
      const pixels = context.createImageData(map.width, map.height);
      const most = Math.max(...map.values, 1e-9);
      map.values.forEach((value, i) => {
        const share = value / most;
        pixels.data.set([255, 210 * (1 - share), 40 * (1 - share), 230 * share], 4 * i);
      });
      context.putImageData(pixels, 0, 0);
    });
  }

  const heat = evidence.queryHeatMap?.width > 0;
  const serial = ++views;
  const choose = (name, label) => h('label', {}, h('input', {
    type: 'radio',
    class: 'over',
    name: `mode-${serial}`,
    checked: name === mode,
    onchange: () => {
      mode = name;
      draw();
    }
  }),
    label);
  const tools = h('div', {class: 'segments', role: 'radiogroup', 'aria-label': 'What is drawn'},
    choose('lines', `Lines (${pairs.length})`), heat && choose('heat', 'Heat-map'), choose('none', 'Pictures'));
  const element = h('div', {class: 'why'}, tools, stage, scoreBar(evidence), pairTable(pairs));
  drawHeat();
  const observer = new ResizeObserver(() => (element.isConnected ? draw() : observer.disconnect()));
  const ready = Promise.allSettled(pictures.map((picture) => picture.decode())).then(() => {
    draw();
    observer.observe(stage);
  });
  return {element, ready};
}
let views = 0;

// The parts of the score, in numbers and as a bar.
function scoreBar(evidence) {
  const cosine = evidence.score || 0;
  const structural = (evidence.weight || 0) * (evidence.structuralScore || 0);
  const total = Math.max(1e-9, Math.abs(cosine) + Math.abs(structural));
  const part = (name, value, kind) => h('span', {
    class: `part ${kind}`,
    style: {flexGrow: String(Math.max(0.02, Math.abs(value) / total))},
    title: `${name} ${value.toFixed(3)}`
  });
  return h('div', {class: 'score'},
    h('div', {class: 'bar', 'aria-hidden': 'true'}, part('cosine', cosine, 'cosine'),
      part('patches', structural, 'patches')),
    h('p', {}, `Cosine of the descriptors ${cosine.toFixed(3)}; `,
      `patches ${(evidence.structuralScore || 0).toFixed(3)} × weight ${evidence.weight || 0}; `,
      `together ${(evidence.rerankScore || 0).toFixed(3)}. ${
        percent(evidence.mass || 0)} of the query's weight was matched.`,
      evidence.confidence !== undefined && ` Confidence ${percent(evidence.confidence)}.`));
}

// The same for those who cannot see lines.
function pairTable(pairs) {
  const at = (box) => `${Math.round(50 * ((box.x0 || 0) + box.x1))} %, ${Math.round(50 * ((box.y0 || 0) + box.y1))} %`;
  return h('details', {}, h('summary', {}, 'The matched patches as a table'),
    h('table', {}, h('thead', {}, h('tr', {}, ['Query at', 'Result at', 'Mass',
      'Cosine'].map((text) => h('th', {scope: 'col'}, text)))),
      h('tbody', {},
        pairs.map((pair) => h('tr', {}, h('td', {}, at(pair.queryBox)), h('td', {}, at(pair.resultBox)),
                    h('td', {}, percent(pair.mass || 0, 1)), h('td', {}, (pair.cosine || 0).toFixed(2)))))));
}
