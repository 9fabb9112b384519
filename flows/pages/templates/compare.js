// The page on two outputs: the same names, made in two ways.
const WORDS = ['same making', 'different', 'only in one'];

const page = {
  frame: 'frame two',
  state: (pair) => pair.state,
  tone: () => 'both',
  open: (at) => detail.open(at, filter.shown),
  label: (pair) => `${pair.name}, ${page.differs(pair)}`,

  differs(pair) {
    if (pair.state === 2) return 'only in ' + data.names[pair.sides[0] ? 0 : 1];
    if (pair.state === 0) return WORDS[0];
    return pair.differs.length ? 'differs in ' + pair.differs.map(([key]) => key).join(', ') : WORDS[1];
  },

  face: (pair) => pair.sides.map((side) => picture(side?.picture, '') ?? el('span', { class: 'blank' }, side ? (side.state === 'done' ? (small ? 'no preview' : '') : side.state) : 'not here')),
  caption: (pair) => el('span', { class: 'caption' }, el('b', {}, pair.name), el('small', {}, page.differs(pair))),
  words: (pair) => [pair.name, page.differs(pair), ...pair.differs.flat()],

  sides(pair) {
    const [before, after] = pair.sides.map((side, at) => side?.picture ? { key: side.picture, name: data.names[at], alt: `${pair.name} of ${data.names[at]}` } : null);
    pair.size ??= (pair.sides[1] ?? pair.sides[0]).size;
    return { before, after, others: [] };
  },

  facts(pair) {
    const found = [section('What differs', pair.differs.length ? table(pair.differs, ['', ...data.names]) : el('p', {}, page.differs(pair)))];
    pair.sides.forEach((side, at) => {
      if (!side) return;
      const rows = madeBy(side);
      if (side.evaluations) rows.unshift(['evaluations', side.evaluations.toLocaleString('en')]);
      if (side.curve?.length) rows.unshift(['last loss', String(side.curve.at(-1))]);
      found.push(section(data.names[at], side.message ? el('p', { class: 'due' }, side.message) : null, rows.length ? table(rows) : null));
    });
    return found;
  },
};

const detail = new Detail(page);
const board = new Board(document.getElementById('board'), page);
const filter = new Filter(board, page);
filter.apply();
requestAnimationFrame(() => setTimeout(() => {
  readPictures();
  board.refresh();
  openNamed(page);
  document.documentElement.dataset.ready = 'yes';
}, 0));
