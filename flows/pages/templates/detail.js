// One pair, large: a slider between two pictures, and all that its record says.
class Detail {
  constructor(page) {
    this.page = page;
    this.dialog = document.getElementById('detail');
    this.dialog.addEventListener('close', () => {
      history.replaceState(null, '', location.pathname + location.search);
      this.opener?.isConnected && this.opener.focus({ preventScroll: true });
    });
    this.dialog.addEventListener('click', (event) => { if (event.target === this.dialog) this.dialog.close(); });
  }

  open(at, among) {
    this.among = among.includes(at) ? among : [at];
    if (!this.dialog.open) this.opener = document.activeElement;
    this.show(at);
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.querySelector('.stage input, .close').focus({ preventScroll: true });
  }

  show(at) {
    const pair = data.pairs[at], place = this.among.indexOf(at);
    const go = (to, words) => el('button', { type: 'button', 'aria-label': words, title: words, class: words.split(' ')[0].toLowerCase(), disabled: this.among[to] === undefined, onclick: () => this.turn(to, words.split(' ')[0].toLowerCase()) }, to < place ? '←' : '→');
    this.dialog.replaceChildren(
      el('div', { class: 'bar' }, el('h2', { id: 'detail-name' }, pair.name), go(place - 1, 'Previous pair'), go(place + 1, 'Next pair'),
        el('button', { type: 'button', class: 'close', 'aria-label': 'Close', title: 'Close (Esc)', onclick: () => this.dialog.close() }, '✕')),
      el('div', { class: 'inside', tabindex: -1 }, this.look(pair), el('div', { class: 'facts' }, this.page.facts(pair))),
    );
    history.replaceState(null, '', '#pair=' + encodeURIComponent(pair.name));
  }

  turn(to, name) {
    this.show(this.among[to]);
    const button = this.dialog.querySelector('.bar .' + name);
    (button.disabled ? this.dialog.querySelector('.close') : button).focus();
    say(data.pairs[this.among[to]].name);
  }

  look(pair) {
    const { before, after, others } = this.page.sides(pair);
    const node = el('div', { class: 'look' }, before || after ? stage(pair, before, after) : null);
    if (others.length) node.append(el('div', { class: 'made-of' }, others));
    return node;
  }
}

function stage(pair, before, after) {
  const node = el('div', { class: 'stage' }), sides = el('div', { class: 'sides' });
  const pane = el('div', { class: 'pane' }, node, sides);
  const first = before && picture(before.key, before.alt), second = after && picture(after.key, after.alt);
  shape(node, pane, pair, second ?? first);
  if (first) { first.className = second ? 'before' : ''; node.append(first); }
  if (second) { second.className = first ? 'after' : ''; node.append(second); }
  if (first && second) {
    const slider = el('input', { type: 'range', min: 0, max: 100, step: 1, value: 50, 'aria-label': `How much of the picture shows ${before.name}, from the left; the rest shows ${after.name}` });
    slider.addEventListener('input', () => slide(node, slider));
    node.append(el('div', { class: 'line' }), slider);
    slide(node, slider);
    sides.append(el('span', {}, before.name), el('span', {}, after.name));
  } else {
    if (!first && !second) node.append(el('div', { class: 'blank' }, 'No preview'));
    sides.append(el('span', {}, second ? after.name : first ? before.name : ''));
  }
  return pane;
}

function slide(node, slider) {
  node.style.setProperty('--split', slider.value + '%');
  slider.setAttribute('aria-valuetext', slider.value + ' %');
}

// The stage has the shape of the result, and is no higher than the window.
function shape(node, pane, pair, img) {
  const set = (width, height) => {
    node.style.aspectRatio = `${width} / ${height}`;
    pane.style.maxWidth = `calc(64dvh * ${width / height})`;
  };
  if (pair.size) set(...pair.size);
  else if (img) { set(4, 3); img.decode().then(() => set(img.naturalWidth, img.naturalHeight), () => {}); }
  else set(16, 5);
}

function section(title, ...inside) {
  return el('section', {}, el('h3', {}, title), inside);
}

function table(rows, head) {
  const made = el('table', { class: 'table' });
  if (head) made.append(el('thead', {}, el('tr', {}, head.map((cell) => el('th', { scope: 'col' }, cell)))));
  made.append(el('tbody', {}, rows.map(([name, ...cells]) => el('tr', {}, el('th', { scope: 'row' }, name), cells.map((cell) => el('td', {}, cell))))));
  return made;
}

// The loss by a logarithm, as it falls by orders of magnitude.
function curve(values, evaluations) {
  const logs = values.map((value) => Math.log10(Math.max(value, 1e-12)));
  const low = Math.min(...logs), span = Math.max(...logs) - low || 1;
  const points = logs.map((value, at) => `${(100 * at / (logs.length - 1 || 1)).toFixed(2)} ${(96 - 92 * (value - low) / span).toFixed(2)}`);
  const words = `The loss fell from ${values[0]} to ${values.at(-1)}` + (evaluations ? ` in ${counted(evaluations, 'evaluation')}` : '');
  return [
    svg('svg', { class: 'curve', viewBox: '0 0 100 100', preserveAspectRatio: 'none', role: 'img', 'aria-label': words },
      svg('line', { x1: 0, x2: 100, y1: 100, y2: 100 }), svg('path', { d: 'M' + points.join('L') })),
    el('p', { class: 'under' }, el('span', {}, String(values[0])), el('span', {}, (evaluations ? counted(evaluations, 'evaluation') + ', ' : '') + 'log scale'), el('span', {}, String(values.at(-1)))),
  ];
}

function madeBy(pair) {
  const rows = [];
  if (pair.size) rows.push(['size', `${pair.size[0]} × ${pair.size[1]} px`]);
  if (pair.device !== undefined) rows.push(['device', text(pair.device) + (pair.precision !== undefined ? `, ${text(pair.precision)}` : '')]);
  if (pair.memory) rows.push(['peak memory', bytes(pair.memory)]);
  if (pair.batch) rows.push(['computed with', counted(pair.batch - 1, 'other pair')]);
  if (pair.stop !== undefined) rows.push(['ended by', text(pair.stop)]);
  for (const [phase, length] of Object.entries(pair.timings ?? {})) rows.push([phase, length]);
  if (pair.attempts) rows.push(['attempts', String(pair.attempts)]);
  if (pair.phase) rows.push(['failed while', pair.phase]);
  if (pair.finished) rows.push(['finished', pair.finished.replace('T', ' ').replace('+00:00', ' UTC')]);
  return rows;
}

function openNamed(page) {
  if (!location.hash.startsWith('#pair=')) return;
  let wanted;
  try {
    wanted = decodeURIComponent(location.hash.slice(6));
  } catch {
    return; // no link of ours
  }
  const at = data.pairs.findIndex((pair) => pair.name === wanted);
  if (at >= 0) page.open(at);
}
