// State, style and text choose which pairs are shown; the words of a pair are put together once.
class Filter {
  constructor(board, page) {
    this.board = board;
    this.page = page;
    this.form = document.getElementById('tools');
    this.find = document.getElementById('text');
    this.style = document.getElementById('style');
    this.form.addEventListener('submit', (event) => event.preventDefault());
    this.form.addEventListener('input', () => this.apply());
    if (this.style) {
      const names = [...new Set(data.columns.map((column) => column.name))];
      this.style.append(...names.map((name) => el('option', { value: name }, name)));
      this.style.closest('label').hidden = names.length < 2;
    }
    const view = data.full && data.columns.length > 1 && innerWidth >= 640 ? 'grid' : 'list';
    const radio = this.form.querySelector(`input[name=view][value=${view}]`);
    if (radio) radio.checked = true;
    this.form.hidden = false;
    new ResizeObserver(() => document.documentElement.style.setProperty('--tools', this.form.offsetHeight + 'px')).observe(this.form);
    this.order = data.pairs.map((_, at) => at).sort((a, b) => rank(data.pairs[a]) - rank(data.pairs[b]) || a - b);
  }

  get view() {
    return this.form.elements.view ? this.form.elements.view.value : 'list';
  }

  apply() {
    const state = this.form.elements.state.value, style = this.style ? this.style.value : '';
    const wanted = this.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = this.order.filter((at) => {
      const pair = data.pairs[at];
      return (state === '' || this.page.state(pair) === Number(state))
        && (style === '' || data.columns[pair.column].name === style)
        && (!wanted.length || wanted.every((word) => this.words(at).includes(word)));
    });
    document.getElementById('count').textContent = shown.length === data.pairs.length
      ? counted(shown.length, 'pair') : `${shown.length.toLocaleString('en')} of ${counted(data.pairs.length, 'pair')}`;
    this.shown = shown;
    this.board.show(shown, this.view);
  }

  words(at) {
    this.known ??= new Array(data.pairs.length);
    return this.known[at] ??= this.page.words(data.pairs[at]).join('\n').toLowerCase();
  }
}

// What failed comes first.
function rank(pair) {
  return pair.state === 1 ? 0 : 1;
}
