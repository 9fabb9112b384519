// Only what is in view, and a little more, is in the document: ten thousand pairs are as quick as ten.
const OVERSCAN_PX = 600;
const FIRST_ROWS = 4;

class Board {
  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.rows = new Map();
    this.at = { row: 0, column: 0 };
    this.heads = el('div', { class: 'heads' });
    this.canvas = el('div', { class: 'canvas' });
    this.scroll = el('div', { class: 'scroll' }, this.canvas);
    this.root.append(this.heads, this.scroll);
    const soon = () => { this.waiting ??= requestAnimationFrame(() => { this.waiting = null; this.paint(); }); };
    addEventListener('scroll', soon, { passive: true });
    this.scroll.addEventListener('scroll', () => { this.heads.scrollLeft = this.scroll.scrollLeft; soon(); }, { passive: true });
    this.root.addEventListener('keydown', (event) => this.key(event));
    this.root.addEventListener('focusin', (event) => this.focused(event.target));
    this.width = 0;
    new ResizeObserver(() => {
      if (this.layout && Math.abs(this.root.clientWidth - this.width) >= 1) this.show(this.shown, this.mode);
    }).observe(this.root);
  }

  show(shown, mode) {
    this.shown = shown;
    this.mode = mode;
    this.width = this.root.clientWidth;
    this.layout = mode === 'grid' ? this.gridLayout() : this.listLayout();
    const { rows, columns, step, head, cell, gap } = this.layout;
    this.at = { row: Math.min(this.at.row, Math.max(0, rows - 1)), column: Math.min(this.at.column, Math.max(0, columns - 1)) };
    this.rows.clear();
    this.canvas.replaceChildren();
    this.canvas.style.height = rows * step + 'px';
    this.canvas.style.width = head + columns * (cell.width + gap) - gap + 'px';
    this.heads.hidden = mode !== 'grid' || !shown.length;
    fill(this.root, mode === 'grid'
      ? { role: 'grid', 'aria-label': 'Contents by styles', 'aria-rowcount': rows + 1, 'aria-colcount': columns + 1 }
      : { role: 'list', 'aria-label': 'Pictures' });
    this.scroll.setAttribute('role', 'presentation');
    for (const key of mode === 'grid' ? [] : ['aria-rowcount', 'aria-colcount']) this.root.removeAttribute(key);
    if (mode === 'grid') this.paintHeads();
    if (!shown.length) this.canvas.append(el('p', { class: 'empty' }, 'No picture fits this filter.'));
    this.canvas.style.minHeight = shown.length ? '' : '8rem';
    this.paint();
  }

  gridLayout() {
    const pairs = this.shown.map((at) => data.pairs[at]);
    const rowsUsed = [...new Set(pairs.map((pair) => pair.row))].sort((a, b) => a - b);
    const columnsUsed = [...new Set(pairs.map((pair) => pair.column))].sort((a, b) => a - b);
    const narrow = this.width < 640;
    const gap = narrow ? 6 : 10, head = narrow ? 96 : 170, columns = columnsUsed.length;
    const fits = (this.width - head - gap * (columns - 1)) / columns;
    const width = Math.round(Math.min(320, Math.max(narrow ? 116 : 136, fits)));
    const cell = { width, height: Math.round(width * 0.75) };
    const rowOf = new Map(rowsUsed.map((row, at) => [row, at]));
    const columnOf = new Map(columnsUsed.map((column, at) => [column, at]));
    const cells = new Map();
    for (const at of this.shown) {
      const pair = data.pairs[at];
      cells.set(rowOf.get(pair.row) * columns + columnOf.get(pair.column), at);
    }
    return { rows: rowsUsed.length, columns, rowsUsed, columnsUsed, gap, head, cell, step: cell.height + gap, pair: (row, column) => cells.get(row * columns + column) };
  }

  listLayout() {
    const narrow = this.width < 640, gap = narrow ? 12 : 20;
    const columns = Math.max(narrow ? 2 : 1, Math.floor((this.width + gap) / ((narrow ? 165 : 230) + gap)));
    const width = (this.width - gap * (columns - 1)) / columns;
    const cell = { width, height: Math.round(width * 0.75) + 44 };
    const rows = Math.ceil(this.shown.length / columns);
    return { rows, columns, gap, head: 0, cell, step: cell.height + gap, pair: (row, column) => this.shown[row * columns + column] };
  }

  // The rows and columns that are in view, as [first, last + 1].
  range() {
    const { rows, columns, step, head, cell, gap } = this.layout;
    const above = -this.scroll.getBoundingClientRect().top, across = this.scroll.scrollLeft - head;
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    const first = clamp(Math.floor((above - OVERSCAN_PX) / step), rows);
    return { // the first rows are there for readers that do not scroll
      rows: [first, clamp(Math.max(Math.ceil((above + innerHeight + OVERSCAN_PX) / step), FIRST_ROWS), rows)],
      columns: [clamp(Math.floor(across / (cell.width + gap)) - 1, columns), clamp(Math.ceil((across + this.scroll.clientWidth) / (cell.width + gap)) + 1, columns)],
    };
  }

  paint() {
    if (!this.layout || !this.shown.length) return;
    const { rows, columns } = this.range();
    const held = this.scroll.contains(document.activeElement) ? this.at.row : -1;
    for (const [row, made] of this.rows) {
      if ((row < rows[0] || row >= rows[1]) && row !== held) { made.node.remove(); this.rows.delete(row); }
    }
    for (let row = rows[0]; row < rows[1]; row++) this.paintRow(row, columns);
    if (this.mode === 'grid') this.paintHeads(columns);
  }

  paintRow(row, [first, end]) {
    let made = this.rows.get(row);
    const { step, head, cell, gap } = this.layout;
    if (!made) {
      made = { node: el('div', { class: 'row', role: this.mode === 'grid' ? 'row' : 'presentation', 'aria-rowindex': this.mode === 'grid' ? row + 2 : null }), cells: new Map() };
      made.node.style.transform = `translateY(${row * step}px)`;
      made.node.style.height = cell.height + 'px';
      made.node.style.width = this.canvas.style.width;
      if (this.mode === 'grid') made.node.append(this.rowHead(row));
      this.rows.set(row, made);
      const next = [...this.rows.keys()].filter((other) => other > row).sort((a, b) => a - b)[0];
      this.canvas.insertBefore(made.node, next === undefined ? null : this.rows.get(next).node);
    }
    for (const [column, node] of made.cells) {
      if ((column < first || column >= end) && !node.contains(document.activeElement)) { node.remove(); made.cells.delete(column); }
    }
    for (let column = first; column < end; column++) {
      if (made.cells.has(column)) continue;
      const node = this.cell(row, column);
      if (!node) continue;
      node.style.position = 'absolute';
      node.style.top = '0';
      node.style.left = head + column * (cell.width + gap) + 'px';
      node.style.width = cell.width + 'px';
      node.style.height = cell.height + 'px';
      made.cells.set(column, node);
      const after = [...made.cells.keys()].filter((other) => other > column).sort((a, b) => a - b)[0];
      made.node.insertBefore(node, after === undefined ? null : made.cells.get(after));
    }
  }

  cell(row, column) {
    const at = this.layout.pair(row, column);
    const grid = this.mode === 'grid';
    if (at === undefined) {
      return grid ? el('div', { class: 'cell none', role: 'gridcell', 'aria-colindex': column + 2, 'aria-label': 'no such pair' }) : null;
    }
    const pair = data.pairs[at];
    const current = row === this.at.row && column === this.at.column;
    const button = el('button', {
      type: 'button', class: (grid ? 'cell ' : 'cell card ') + this.page.tone(pair),
      tabindex: !grid || current ? 0 : -1, 'aria-label': this.page.label(pair), 'data-row': row, 'data-column': column,
      onclick: () => this.page.open(at),
    }, grid ? this.page.face(pair) : [el('span', { class: this.page.frame }, this.page.face(pair)), this.page.caption(pair)]);
    button.style.width = '100%';
    button.style.height = '100%';
    button.style.position = 'relative';
    return el('div', grid ? { role: 'gridcell', 'aria-colindex': column + 2 } : { role: 'listitem', 'aria-setsize': this.shown.length, 'aria-posinset': row * this.layout.columns + column + 1 }, button);
  }

  rowHead(row) {
    const heading = data.rows[this.layout.rowsUsed[row]];
    const node = el('div', { class: 'rowhead', role: 'rowheader', 'aria-colindex': 1 }, picture(heading.picture, ''), el('span', { title: heading.name }, heading.name));
    node.style.width = this.layout.head + 'px';
    node.style.height = this.layout.cell.height + 'px';
    return node;
  }

  paintHeads(range) {
    const { head, cell, gap, columnsUsed, columns } = this.layout;
    const [first, end] = range ?? [0, Math.min(columns, 40)];
    if (range && this.painted && this.painted[0] === first && this.painted[1] === end && this.painted[2] === this.layout && this.painted[3] === small) return;
    this.painted = [first, end, this.layout, small];
    const corner = el('div', { class: 'corner', role: 'columnheader', 'aria-colindex': 1 }, el('span', {}, 'content \\ style'));
    corner.style.width = head + 'px';
    const row = el('div', { class: 'row', role: 'row', 'aria-rowindex': 1 }, corner);
    for (let column = first; column < end; column++) {
      const heading = data.columns[columnsUsed[column]];
      const node = el('div', { class: 'colhead', role: 'columnheader', 'aria-colindex': column + 2 }, picture(heading.picture, ''),
        el('div', {}, el('span', { title: heading.name }, heading.name), heading.variant ? el('small', { title: heading.variant }, heading.variant) : null));
      node.style.left = head + column * (cell.width + gap) + 'px';
      node.style.width = cell.width + 'px';
      row.append(node);
    }
    row.style.width = this.canvas.style.width;
    row.style.height = '60px';
    this.heads.replaceChildren(row);
    this.heads.scrollLeft = this.scroll.scrollLeft;
  }

  // Pictures have come: what stands there gets its own.
  refresh() {
    if (this.layout) this.show(this.shown, this.mode);
  }

  focused(target) {
    const button = target.closest('button[data-row]');
    if (!button) return;
    const before = this.buttonAt(this.at);
    this.at = { row: Number(button.dataset.row), column: Number(button.dataset.column) };
    if (this.mode === 'grid') {
      if (before) before.tabIndex = -1;
      button.tabIndex = 0;
    }
  }

  buttonAt({ row, column }) {
    return this.rows.get(row)?.cells.get(column)?.querySelector('button') ?? null;
  }

  key(event) {
    if (!event.target.closest('button[data-row]') || event.altKey || event.ctrlKey || event.metaKey) return;
    const { rows, columns } = this.layout;
    const page = Math.max(1, Math.floor(innerHeight / this.layout.step) - 1);
    const moves = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], PageDown: [page, 0], PageUp: [-page, 0], Home: [0, -columns], End: [0, columns] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    let row = Math.max(0, Math.min(rows - 1, this.at.row + move[0])), column = Math.max(0, Math.min(columns - 1, this.at.column + move[1]));
    // Over places without a pair to the next one that has one.
    const [down, right] = [Math.sign(move[0]), Math.sign(move[1])];
    while (this.layout.pair(row, column) === undefined) {
      if (row + down < 0 || row + down >= rows || column + right < 0 || column + right >= columns) return;
      row += down;
      column += right;
    }
    this.focusOn(row, column);
  }

  focusOn(row, column) {
    const { step, cell, head, gap } = this.layout;
    const top = this.scroll.getBoundingClientRect().top + row * step;
    const covered = (this.heads.hidden ? 0 : this.heads.offsetHeight) + (this.width < 608 ? 0 : document.getElementById('tools').offsetHeight) + 8;
    if (top < covered) scrollBy(0, top - covered);
    else if (top + cell.height > innerHeight) scrollBy(0, top + cell.height - innerHeight + 8);
    const left = column * (cell.width + gap);
    if (left < this.scroll.scrollLeft) this.scroll.scrollLeft = left;
    else if (head + left + cell.width > this.scroll.scrollLeft + this.scroll.clientWidth) this.scroll.scrollLeft = head + left + cell.width - this.scroll.clientWidth;
    this.paint();
    this.buttonAt({ row, column })?.focus({ preventScroll: true });
  }
}
