// The overview: one switch for the figures and tables.
'use strict';

(function () {
  const { axes, element, number } = mmsal;
  const get = (id) => document.getElementById(id);
  const chosen = (id) => Number(get(id).value);
  const tables = {
    scores: new mmsal.Table(get('score-table')),
    pairs: new mmsal.Table(get('pair-table')),
    videos: new mmsal.Table(get('video-table')),
  };
  const interval = (low, high, digits = 3) =>
    Number.isNaN(low) ? '' : ` [${number(low, digits)}, ${number(high, digits)}]`;
  const percent = (share) => `${number(100 * share, 0)} %`;
  const model = (place) => axes.models[place];
  const direction = (metric) => (metric.lowerIsBetter ? 'lower is better' : 'higher is better');
  const shown = () => [axes.references[chosen('reference')], axes.levels[chosen('level')][1],
    axes.conventions[chosen('convention')][1]].join(' · ');

  function matches(row, start, metric) {
    return row[start] === chosen('reference') && row[start + 1] === chosen('level')
      && row[start + 3] === chosen('convention') && (metric === undefined || row[start + 2] === metric);
  }

  function showFigures() {
    let any = false;
    for (const figure of document.querySelectorAll('.plot')) {
      figure.hidden = !['level', 'reference', 'convention'].every(
        (name) => Number(figure.dataset[name]) === chosen(name));
      any = any || !figure.hidden;
    }
    get('no-figures').hidden = any;
  }

  // Rows of mmsal.summary: model, reference, level, metric, convention, then mean, low, high,
  // videos, undefined, share, its low and high.
  function showScores() {
    const cells = new Map();
    for (const row of mmsal.summary) if (matches(row, 1)) cells.set(`${row[0]} ${row[3]}`, row.slice(5));
    const metrics = [...axes.metrics.keys()].filter(
      (metric) => axes.models.some((_, place) => cells.has(`${place} ${metric}`)));
    const rows = axes.models.map(({ name, yardstick }, place) => ({ name, yardstick, place }))
      .filter(({ place }) => metrics.some((metric) => cells.has(`${place} ${metric}`)));
    const columns = [{ title: 'Model', text: true, value: (row) => row.name, cell: (row) => row.name }];
    for (const metric of metrics) {
      const of = (row) => cells.get(`${row.place} ${metric}`) || [NaN, NaN, NaN, 0, 0, NaN];
      columns.push({
        title: axes.metrics[metric].name,
        note: direction(axes.metrics[metric]),
        low: axes.metrics[metric].lowerIsBetter,
        value: (row) => of(row)[0],
        cell: (row) => scoreCell(of(row)),
      });
    }
    const shares = [...cells.values()].some((cell) => !Number.isNaN(cell[5]));
    tables.scores.show(columns, rows, 'Mean over videos [interval]'
      + `${shares ? ', share of the human ceiling [interval]' : ''}, number of videos that are undefined. ${shown()}.`);
  }

  function scoreCell([mean, low, high, , undefinedVideos, share, shareLow, shareHigh]) {
    if (Number.isNaN(mean)) return '–';
    const cell = document.createDocumentFragment();
    cell.append(number(mean));
    if (!Number.isNaN(low)) cell.append(element('small', interval(low, high).trim()));
    if (!Number.isNaN(share)) {
      const range = Number.isNaN(shareLow) ? ''
        : ` [${number(100 * shareLow, 0)}, ${number(100 * shareHigh, 0)}]`;
      cell.append(element('small', `${percent(share)} of ceiling${range}`));
    }
    if (undefinedVideos > 0) cell.append(element('small', `${undefinedVideos} undefined`));
    return cell;
  }

  // Rows of mmsal.pairs: model, other, reference, level, metric, convention, then difference, low,
  // high, p, corrected p, effect size, probability, videos.
  function showPairs() {
    const metric = axes.metrics[chosen('metric')];
    const all = get('with-yardsticks').checked;
    const rows = mmsal.pairs.filter((row) => matches(row, 2, chosen('metric'))
      && (all || !(model(row[0]).yardstick || model(row[1]).yardstick)));
    const p = (value) => (value < 0.001 ? '< 0.001' : number(value));
    const column = (title, place, cell, low) => ({ title, low, value: (row) => row[place], cell });
    tables.pairs.show([
      { title: 'Model', text: true, value: (row) => model(row[0]).name, cell: (row) => model(row[0]).name },
      { title: 'Other', text: true, value: (row) => model(row[1]).name, cell: (row) => model(row[1]).name },
      { title: 'Shown', text: true, value: (row) => finding(row, metric), cell: (row) => finding(row, metric) },
      column('Difference', 6, (row) => number(row[6]) + interval(row[7], row[8]), metric.lowerIsBetter),
      column('p', 9, (row) => p(row[9]), true),
      column('p corrected', 10, (row) => p(row[10]), true),
      column('Effect size', 11, (row) => number(row[11], 2), metric.lowerIsBetter),
      column('Better in', 12, (row) => percent(row[12])),
      column('Videos', 13, (row) => String(row[13])),
    ], rows, `${metric.name}, ${direction(metric)}: model minus other [interval]; a difference is `
      + 'shown where the corrected p is below 0.05; the effect size is Cohen\'s d of the paired differences; '
      + `“better in” is the share of videos. ${shown()}.`
      + (rows.length ? '' : ' There are no such pairs.'));
  }

  function finding(row, metric) {
    if (Number.isNaN(row[10])) return 'not tested';
    if (!(row[10] < 0.05)) return 'no difference shown';
    return (row[6] > 0) === !metric.lowerIsBetter ? 'model is better' : 'other is better';
  }

  // Scores of videos come in a file per setting of the switch, which is loaded when it is shown.
  const loading = new Map();
  function load(key) {
    if (!loading.has(key)) {
      loading.set(key, new Promise((resolve) => {
        const script = element('script', undefined, { src: `data/scores_${key}.js` });
        script.addEventListener('load', resolve);
        script.addEventListener('error', resolve);
        document.head.append(script);
      }));
    }
    return loading.get(key);
  }

  async function showVideos() {
    const key = ['level', 'reference', 'convention'].map(chosen).join('_');
    if (mmsal.scoreFiles.includes(key)) await load(key);
    if (key !== ['level', 'reference', 'convention'].map(chosen).join('_')) return;
    const metric = axes.metrics[chosen('metric')];
    const part = (mmsal[`scores_${key}`] || []).find(([place]) => place === chosen('metric'));
    const scores = part ? part[1] : [];
    const find = get('find').value.trim().toLowerCase();
    const rows = mmsal.videos.map(([name, slug, frames, fixations], place) => ({ name, slug, frames, fixations, place }))
      .filter((row) => row.name.toLowerCase().includes(find));
    const whole = (value) => (Number.isNaN(value) ? '–' : String(value));
    const columns = [
      { title: 'Video', text: true, value: (row) => row.name, cell: videoLink },
      { title: 'Frames', value: (row) => row.frames, cell: (row) => whole(row.frames) },
      { title: 'Fixations', value: (row) => row.fixations, cell: (row) => whole(row.fixations) },
    ];
    axes.models.forEach(({ name, yardstick }, place) => {
      if (!scores[place] || scores[place].every(Number.isNaN)) return;
      columns.push({
        title: name, note: yardstick ? 'yardstick' : undefined, low: metric.lowerIsBetter,
        value: (row) => scores[place][row.place],
      });
    });
    tables.videos.show(columns, rows, `${metric.name} of ${rows.length} of ${mmsal.videos.length} videos, `
      + `${direction(metric)}. ${shown()}.${part ? '' : ' There are no such scores.'}`);
  }

  function videoLink(row) {
    return row.slug ? element('a', row.name, { href: `videos/${row.slug}.html` }) : row.name;
  }

  function showAll() {
    showFigures();
    showScores();
    showPairs();
    showVideos();
  }

  get('switch').addEventListener('submit', (event) => event.preventDefault());
  for (const name of ['level', 'reference', 'convention']) {
    get(name).addEventListener('change', () => {
      showAll();
      get('switched').textContent = `Showing ${shown()}`;
    });
  }
  get('metric').addEventListener('change', () => { showPairs(); showVideos(); });
  get('with-yardsticks').addEventListener('change', showPairs);
  get('find').addEventListener('input', showVideos);
  showAll();
})();
