// Source, gaze and maps of one video, in step: all are drawn from sheets of pictures at once.
'use strict';

mmsal.player = (function () {
  const { video } = mmsal;
  const LONGEST = 640; // pixels of a canvas
  const get = (id) => document.getElementById(id);
  const canvases = [...document.querySelectorAll('.panel canvas')];
  const sheets = video.panels.map(() => new Map());
  const source = video.panels.findIndex((panel) => panel.kind === 'source');
  const listeners = [];
  const last = video.frames.length - 1;
  let index = 0;
  let playing = null; // {began, from}: clock and video time at which it began

  const scale = LONGEST / Math.max(...video.size);
  for (const canvas of canvases) {
    canvas.width = Math.max(1, Math.round(video.size[0] * scale));
    canvas.height = Math.max(1, Math.round(video.size[1] * scale));
  }

  function sheet(panel, frame) {
    const number = Math.floor(frame / video.panels[panel].perSheet);
    const known = sheets[panel];
    if (!known.has(number)) {
      const image = new Image();
      image.src = video.panels[panel].files[number];
      known.set(number, image.decode().then(() => image, () => {
        get('failed').textContent = `This picture could not be read: ${video.panels[panel].files[number]}`;
        get('failed').hidden = false;
        return null;
      }));
    }
    return known.get(number);
  }

  function drawTile(context, panel, image, frame) {
    const { perSheet, columns, pitch, tile } = video.panels[panel];
    const place = frame % perSheet;
    const left = (place % columns) * pitch[0];
    const top = Math.floor(place / columns) * pitch[1];
    const { width, height } = context.canvas;
    context.drawImage(image, left, top, tile[0], tile[1], 0, 0, width, height);
  }

  function drawFixations(context, frame) {
    const points = video.fixations[frame];
    const radius = LONGEST / 90;
    context.lineWidth = radius / 2;
    context.strokeStyle = '#000';
    context.fillStyle = '#fff';
    for (let at = 0; at < points.length; at += 2) {
      context.beginPath();
      context.arc(points[at] * scale, points[at + 1] * scale, radius, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }

  // Waits until every picture of the frame is there, so that no canvas runs ahead of the others.
  async function draw() {
    const frame = index;
    const images = await Promise.all(video.panels.map((_, panel) => sheet(panel, frame)));
    if (frame !== index) return;
    const overlay = source >= 0 && get('overlay').checked && images[source];
    canvases.forEach((canvas, panel) => {
      const context = canvas.getContext('2d');
      context.clearRect(0, 0, canvas.width, canvas.height);
      const over = overlay && panel !== source;
      if (over) drawTile(context, source, images[source], frame);
      context.globalAlpha = over ? 0.5 : 1;
      if (images[panel]) drawTile(context, panel, images[panel], frame);
      context.globalAlpha = 1;
      if (get('fixations').checked) drawFixations(context, frame);
      canvas.setAttribute('aria-label', `${video.panels[panel].name}, frame ${video.frames[frame]}`);
      canvas.dataset.frame = video.frames[frame];
    });
    const ahead = Math.min(frame + 20, last); // the next sheet is read before it is needed
    video.panels.forEach((_, panel) => sheet(panel, ahead));
  }

  function show(frame) {
    index = Math.min(Math.max(frame, 0), last);
    const count = video.fixations[index].length / 2;
    const text = `frame ${video.frames[index]}, ${video.times[index].toFixed(2)} s, `
      + `${count || 'no'} fixation${count === 1 ? '' : 's'}`;
    get('frame').value = index;
    get('frame').setAttribute('aria-valuetext', text);
    get('where').textContent = text;
    draw();
    listeners.forEach((listener) => listener(video.frames[index], video.times[index]));
  }

  function seek(frame) {
    show(frame);
    if (playing) playing = { began: performance.now(), from: video.times[index] };
  }

  function tick(now) {
    if (!playing) return;
    const time = playing.from + ((now - playing.began) / 1000) * Number(get('speed').value);
    let frame = index;
    while (frame < last && video.times[frame + 1] <= time) frame += 1;
    if (frame !== index) show(frame);
    if (index === last) stop();
    else requestAnimationFrame(tick);
  }

  function start() {
    if (last === 0) return;
    if (index === last) show(0);
    playing = { began: performance.now(), from: video.times[index] };
    get('play').textContent = 'Pause';
    get('where').setAttribute('aria-live', 'off'); // a screen reader cannot keep up with it
    requestAnimationFrame(tick);
  }

  function stop() {
    playing = null;
    get('play').textContent = 'Play';
    get('where').setAttribute('aria-live', 'polite');
  }

  const toggle = () => (playing ? stop() : start());
  const keys = {
    ' ': toggle,
    ArrowLeft: () => seek(index - 1),
    ArrowRight: () => seek(index + 1),
    Home: () => seek(0),
    End: () => seek(last),
  };

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in keys)) return;
    // What has the focus keeps the keys that it has a use for.
    const taken = event.key === ' ' ? 'select, button, a, input:not([type=range])' : 'select, input';
    if (event.target.matches(taken)) return;
    event.preventDefault();
    keys[event.key]();
  });
  get('play').addEventListener('click', toggle);
  get('frame').addEventListener('input', () => seek(Number(get('frame').value)));
  get('speed').addEventListener('change', () => seek(index));
  for (const id of ['fixations', 'overlay']) if (get(id)) get(id).addEventListener('change', draw);
  show(0);

  // Place of the shown frame that is nearest to a frame of the video.
  function nearest(frame) {
    let best = 0;
    video.frames.forEach((other, place) => {
      if (Math.abs(other - frame) < Math.abs(video.frames[best] - frame)) best = place;
    });
    return best;
  }

  return {
    seek,
    nearest,
    onFrame(listener) {
      listeners.push(listener);
      listener(video.frames[index], video.times[index]);
    },
    setScores(texts) {
      document.querySelectorAll('.panel .score').forEach((place, panel) => {
        place.textContent = texts.get(video.panels[panel].model) || '';
      });
    },
  };
})();
