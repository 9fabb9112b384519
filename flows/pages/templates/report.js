// The page on a run: results of contents and styles.
const remedies = new Map([...document.querySelectorAll('.failures details')].map((one) => [one.querySelector('.tag').textContent, [one.querySelector('.what').textContent, one.querySelector('.remedy').textContent]]));

const page = {
  frame: 'frame',
  state: (pair) => pair.state,
  tone: (pair) => ['made', 'failed', 'todo'][pair.state],
  open: (at) => detail.open(at, filter.shown),

  label(pair) {
    const column = data.columns[pair.column];
    const kind = pair.kind === undefined ? '' : ': ' + text(pair.kind).replaceAll('_', ' ');
    return `${data.rows[pair.row].name} in ${column.name}${column.variant ? ', ' + column.variant : ''}, ${STATES[pair.state]}${kind}`;
  },

  face(pair) {
    const img = picture(pair.picture, '');
    if (img) return [img, pair.state === 2 ? el('span', { class: 'chip' }, 'out of date') : null];
    const why = pair.state === 1 ? text(pair.kind).replaceAll('_', ' ') : pair.state === 2 ? pair.message ?? '' : small ? 'no preview' : '';
    return el('span', { class: 'blank' }, el('b', {}, pair.state === 0 ? '' : STATES[pair.state]), why);
  },

  caption(pair) {
    const column = data.columns[pair.column];
    return el('span', { class: 'caption' }, el('b', {}, data.rows[pair.row].name), el('small', {}, column.name + (column.variant ? ' · ' + column.variant : '')));
  },

  words(pair) {
    const column = data.columns[pair.column];
    const settings = Object.entries(data.settings[pair.settings]).map(([key, value]) => `${key} ${value}`);
    return [pair.name, data.rows[pair.row].name, column.name, column.variant ?? '', pair.message ?? '', text(pair.kind), ...settings];
  },

  sides(pair) {
    const row = data.rows[pair.row], column = data.columns[pair.column];
    const figure = (heading, role) => {
      const img = picture(heading.picture, `${role} ${heading.name}`);
      return img ? el('figure', {}, img, el('figcaption', {}, `${role}: ${heading.name}`)) : null;
    };
    return {
      before: { key: row.picture, name: 'content', alt: `content ${row.name}` },
      after: pair.picture ? { key: pair.picture, name: 'result', alt: `result ${pair.name}` } : null,
      others: [pair.picture ? figure(row, 'content') : null, figure(column, 'style')].filter(Boolean),
    };
  },

  facts(pair) {
    const found = [];
    if (pair.state === 1) {
      const [title, remedy] = remedies.get(text(pair.kind)) ?? ['Failed', ''];
      found.push(el('div', { class: 'trouble' }, el('p', {}, el('b', {}, title), ` (${text(pair.kind)})`), el('p', {}, pair.message ?? ''), el('p', {}, remedy)));
    }
    if (pair.state === 2) found.push(el('div', { class: 'due' }, el('p', {}, el('b', {}, 'To do'), pair.message ? `: ${pair.message}` : '')));
    const settings = Object.entries(data.settings[pair.settings]);
    found.push(section('Settings that differ from the usual ones', settings.length ? table(settings) : el('p', {}, 'none')));
    if (pair.curve?.length > 1) found.push(section('Loss', curve(pair.curve, pair.evaluations)));
    const rows = madeBy(pair);
    if (rows.length) found.push(section('How it was made', table(rows)));
    if (pair.decisions) found.push(section('Decided on your behalf', el('ul', {}, pair.decisions.map((number) => el('li', {}, text(number))))));
    const links = [linked(pair.file, 'Open the picture'), linked(pair.record, 'Open the record')].filter(Boolean);
    if (links.length) found.push(el('p', { class: 'links' }, links));
    return found;
  },
};

const detail = new Detail(page);
const board = new Board(document.getElementById('board'), page);
const filter = new Filter(board, page);
filter.apply();
for (const button of document.querySelectorAll('.opens')) {
  button.addEventListener('click', () => page.open(data.pairs.findIndex((pair) => pair.name === button.dataset.pair)));
}
// The words stand there before the long text of the pictures is read.
requestAnimationFrame(() => setTimeout(() => {
  readPictures();
  board.refresh();
  openNamed(page);
  document.documentElement.dataset.ready = 'yes';
}, 0));
