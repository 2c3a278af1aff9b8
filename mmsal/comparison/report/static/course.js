// Scores over time as lines, with a cursor at the shown frame; the best and worst frames as buttons.
'use strict';

(function () {
  const { video, axes, player } = mmsal;
  if (!video.courses.length) return;
  const DASHES = ['', '8 3', '2 2.5', '10 3 2 3', '5 2', '1 4'];
  const MARGIN = { left: 52, right: 12, top: 12, bottom: 34 };
  const HEIGHT = 260;
  const get = (id) => document.getElementById(id);
  const hiddenLines = new Set();
  const now = { frame: 0, time: 0 };
  let course, series, marks, width;

  function svg(tag, attributes, text) {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function options(select, entries) {
    const before = select.selectedOptions.length ? select.selectedOptions[0].textContent : '';
    select.replaceChildren(...entries.map(([value, text]) => new Option(text, value, false, text === before)));
  }

  // Models have colours and dashes by their place, yardsticks are thin and grey.
  function look(model) {
    const same = axes.models.filter((other) => other.yardstick === axes.models[model].yardstick);
    const place = same.indexOf(axes.models[model]);
    if (axes.models[model].yardstick) return { class: 'line sy', 'stroke-dasharray': DASHES[(place + 2) % 6] };
    return { class: `line s${place % 6}`, 'stroke-dasharray': DASHES[(place + Math.floor(place / 6)) % 6] };
  }

  const metric = () => axes.metrics[series[1]];
  const seriesTitle = ([, metricPlace, convention]) =>
    `${axes.metrics[metricPlace].name} (${convention === 'tuebingen' ? 'Tübingen' : convention.toUpperCase()})`;

  function chooseLevel() {
    course = video.courses[Number(get('level').value)];
    const references = [...new Set(course.series.map(([reference]) => reference))];
    options(get('reference'), references.map((place) => [place, axes.references[place]]));
    chooseReference();
  }

  function chooseReference() {
    const reference = Number(get('reference').value);
    const entries = [...course.series.entries()].filter(([, entry]) => entry[0] === reference);
    options(get('series'), entries.map(([place, entry]) => [place, seriesTitle(entry)]));
    chooseSeries();
  }

  function chooseSeries() {
    series = course.series[Number(get('series').value)];
    options(get('judged'), series[3].map(([model]) => [model, axes.models[model].name]));
    showLines();
    draw();
    showExtremes();
    follow(now.frame, now.time);
  }

  function showLines() {
    get('lines').replaceChildren(...series[3].map(([model]) => {
      const label = document.createElement('label');
      const box = document.createElement('input');
      box.type = 'checkbox';
      box.checked = !hiddenLines.has(model);
      box.addEventListener('change', () => {
        if (box.checked) hiddenLines.delete(model); else hiddenLines.add(model);
        draw();
      });
      const sample = svg('svg', { width: 34, height: 10, 'aria-hidden': 'true' });
      sample.append(svg('path', { ...look(model), d: 'M0 5H34' }));
      label.append(box, sample, axes.models[model].name);
      return label;
    }));
  }

  function ticks(low, high, wanted) {
    const rough = (high - low) / wanted || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const found = [];
    for (let tick = Math.ceil(low / step); tick * step <= high + step * 1e-9; tick += 1) found.push(tick * step);
    const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
    return found.map((tick) => [tick, tick.toFixed(digits).replace(/^-(?=[\d.]*[1-9])/, '−').replace(/^-/, '')]);
  }

  function extent(lists) {
    let low = Infinity, high = -Infinity;
    for (const list of lists) {
      for (const value of list) {
        if (!Number.isFinite(value)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high) return [0, 1];
    return low === high ? [low - 0.5, high + 0.5] : [low, high];
  }

  function draw() {
    const chart = get('chart');
    width = Math.max(chart.clientWidth, 240);
    const lines = series[3].filter(([model]) => !hiddenLines.has(model));
    const [low, high] = extent(lines.map(([, values]) => values));
    const [from, to] = extent([course.times, video.times]);
    const pad = (high - low) * 0.05;
    const x = (time) => MARGIN.left + ((time - from) / (to - from)) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => HEIGHT - MARGIN.bottom
      - ((value - low + pad) / (high - low + 2 * pad)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const title = seriesTitle(series);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: 'img',
      'aria-label': `${title} over time, ${lines.map(([model]) => axes.models[model].name).join(', ')}` });
    for (const [tick, text] of ticks(low - pad, high + pad, 5)) {
      picture.append(svg('line', { class: 'grid', x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }));
      picture.append(svg('text', { x: MARGIN.left - 6, y: y(tick) + 4, 'text-anchor': 'end' }, text));
    }
    for (const [tick, text] of ticks(from, to, Math.max(2, width / 110))) {
      picture.append(svg('text', { x: x(tick), y: HEIGHT - MARGIN.bottom + 16, 'text-anchor': 'middle' }, text));
    }
    picture.append(svg('text', { x: width - MARGIN.right, y: HEIGHT - 4, 'text-anchor': 'end' }, 'time in seconds'));
    for (const [model, values] of [...lines].reverse()) {
      picture.append(svg('path', { ...look(model), d: path(values, x, y), 'stroke-linecap': 'round' }));
    }
    const cursor = svg('line', { class: 'cursor', y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
    picture.append(cursor);
    picture.addEventListener('click', (event) => {
      const box = picture.getBoundingClientRect();
      const share = ((event.clientX - box.left) * (width / box.width) - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
      seekTime(from + share * (to - from));
    });
    chart.replaceChildren(picture);
    get('chart-caption').textContent = `${title}, ${metric().lowerIsBetter ? 'lower' : 'higher'} is better. `
      + 'The upright line is the frame shown above; a click moves it. A gap is undefined.';
    marks = { cursor, x };
    moveCursor();
  }

  // A line per run of values; a value between two gaps is a dot.
  function path(values, x, y) {
    let text = '', drawing = false;
    values.forEach((value, place) => {
      if (!Number.isFinite(value)) { drawing = false; return; }
      const point = `${x(course.times[place]).toFixed(1)} ${y(value).toFixed(1)}`;
      const alone = !drawing && !Number.isFinite(values[place + 1]);
      text += drawing ? `L${point}` : `M${point}${alone ? 'h0' : ''}`;
      drawing = true;
    });
    return text;
  }

  function seekTime(time) {
    let best = 0;
    video.times.forEach((other, place) => {
      if (Math.abs(other - time) < Math.abs(video.times[best] - time)) best = place;
    });
    player.seek(best);
  }

  function follow(frame, time) {
    Object.assign(now, { frame, time });
    moveCursor();
    const place = valueAt(frame);
    const texts = new Map();
    for (const [model, values] of series[3]) {
      const value = place < 0 ? NaN : values[place];
      texts.set(model, `${metric().name} ${Number.isNaN(value) ? 'undefined' : value.toFixed(2).replace('-', '−')}`);
    }
    player.setScores(texts);
  }

  function moveCursor() {
    const at = marks.x(now.time);
    marks.cursor.setAttribute('x1', at);
    marks.cursor.setAttribute('x2', at);
  }

  // Where the course has the frame, or the window that began last.
  function valueAt(frame) {
    if (course.level === 'frame') return course.frames.indexOf(frame);
    return course.frames.filter((first) => first <= frame).length - 1;
  }

  function showExtremes() {
    const model = Number(get('judged').value);
    const values = series[3].find(([place]) => place === model)[1];
    const found = [];
    course.frames.forEach((frame, place) => {
      const shown = player.nearest(frame);
      const exact = video.frames[shown] === frame;
      if (Number.isNaN(values[place]) || (course.level === 'frame' && !exact)) return;
      found.push({ frame, shown, value: values[place], time: course.times[place] });
    });
    const sign = metric().lowerIsBetter ? -1 : 1;
    found.sort((a, b) => sign * (b.value - a.value) || a.frame - b.frame);
    fill('best', apart(found));
    fill('worst', apart(found.reverse()));
  }

  function apart(found) {
    const gap = Math.max(2, video.frames.length / 20); // frames side by side look alike
    const kept = [];
    for (const one of found) {
      if (kept.length < 3 && kept.every((other) => Math.abs(other.shown - one.shown) >= gap)) kept.push(one);
    }
    return kept;
  }

  function fill(id, found) {
    get(id).replaceChildren(...found.map(({ frame, shown, value, time }) => {
      const item = document.createElement('li');
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = `frame ${frame}, ${time.toFixed(2)} s: ${metric().name} ${value.toFixed(3).replace('-', '−')}`;
      button.addEventListener('click', () => player.seek(shown));
      item.append(button);
      return item;
    }));
  }

  axes.models.forEach(({ yardstick, name }, place) => {
    if (yardstick && !['chance', 'human ceiling'].includes(name)) hiddenLines.add(place);
  });
  const titles = { frame: 'single frames', window: 'windows of time' };
  options(get('level'), video.courses.map(({ level }, place) => [place, titles[level]]));
  get('level').addEventListener('change', chooseLevel);
  get('reference').addEventListener('change', chooseReference);
  get('series').addEventListener('change', chooseSeries);
  get('judged').addEventListener('change', showExtremes);
  new ResizeObserver(() => { if (get('chart').clientWidth !== width) draw(); }).observe(get('chart'));
  chooseLevel();
  player.onFrame(follow);
})();
