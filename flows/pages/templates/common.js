'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const STATES = ['made', 'failed', 'to do'];
let small = null; // the small pictures; a long text, which is read when the first words stand there

function readPictures() {
  small = JSON.parse(document.getElementById('pictures').textContent).of;
}

function pictureSource(key) {
  const found = small && key && Object.hasOwn(small, key) ? small[key] : '';
  return found ? 'data:image/webp;base64,' + found : '';
}

// Text goes in as text alone: no name in a record can become HTML.
function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  fill(made, given);
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ''));
  return made;
}

function svg(tag, given = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function fill(made, given) {
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'class') made.className = value;
    else if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? '' : value);
  }
}

function picture(key, alt) {
  const source = pictureSource(key);
  return source ? el('img', { src: source, alt, decoding: 'async', draggable: 'false' }) : null;
}

function text(number) {
  return number === undefined ? '' : data.texts[number];
}

function bytes(count) {
  for (const [unit, size] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]]) {
    if (count >= size) return Number((count / size).toPrecision(3)) + ' ' + unit;
  }
  return count + ' B';
}

function counted(number, word) {
  return number.toLocaleString('en') + ' ' + word + (number === 1 ? '' : 's');
}

function say(words) {
  document.getElementById('said').textContent = words;
}

// A name below the output as a relative link; each part by itself, so that slashes stay.
function linkTo(name) {
  return data.base + name.split('/').map(encodeURIComponent).join('/');
}

function linked(name, words) {
  if (data.base === null || !name) return null;
  const path = linkTo(name);
  return el('a', { href: data.base === '' ? './' + path : path, target: '_blank', rel: 'noopener' }, words);
}
