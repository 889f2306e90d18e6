// Take a chart away: its picture as SVG or PNG, its table as CSV. Everything is made here, from what the page shows.

const STYLES = ['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linejoin', 'stroke-linecap',
  'paint-order', 'font-family', 'font-size', 'font-weight', 'text-anchor', 'stop-color', 'stop-opacity', 'vector-effect'];

const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
/** @type {Map<string, string>} */
const known = new Map();

/** @param {string} colour @returns {string} the same in words that every reader of SVG knows: the tokens are oklch */
const plain = (colour) => {
  if (!pixel || !/^(oklch|oklab|lab|lch|color|color-mix)\(/.test(colour)) return colour;
  let found = known.get(colour);
  if (!found) {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
    found = alpha === 255 ? `rgb(${red}, ${green}, ${blue})` : `rgba(${red}, ${green}, ${blue}, ${(alpha / 255).toFixed(3)})`;
    known.set(colour, found);
  }
  return found;
};

/** @param {Element} from @param {Element} to copy what the style sheet says as attributes, for a file has no sheet */
const dress = (from, to) => {
  const found = getComputedStyle(from);
  for (const name of STYLES) {
    const value = found.getPropertyValue(name);
    if (value && value !== 'none' && value !== 'normal') to.setAttribute(name, plain(value).replace(/url\("?[^"#)]*(#[^")]+)"?\)/, 'url($1)'));
    else if (name === 'fill' || name === 'stroke') to.setAttribute(name, 'none');
  }
  to.removeAttribute('class');
  [...from.children].forEach((child, place) => dress(child, to.children[place]));
};

/** @param {HTMLElement} figure @returns {SVGElement | null} the picture that is seen, or the one kept for taking away */
const pictureOf = (figure) => {
  const kept = figure.querySelector('template[data-picture]');
  if (kept instanceof HTMLTemplateElement) return /** @type {SVGElement | null} */ (kept.content.querySelector('svg'));
  return [...figure.querySelectorAll('svg')].find((svg) => svg.closest('.scroll-x, figure') && svg.checkVisibility()) ?? null;
};

/** @param {HTMLElement} figure @returns {{text: string, width: number, height: number} | null} a file of its own */
const svgOf = (figure) => {
  const seen = pictureOf(figure);
  if (!seen) return null;
  const shown = /** @type {SVGElement} */ (seen.isConnected ? seen : figure.appendChild(seen.cloneNode(true)));
  const made = /** @type {SVGElement} */ (shown.cloneNode(true));
  dress(shown, made);
  const [x, y, width, height] = (shown.getAttribute('viewBox') ?? '0 0 800 300').split(/\s+/).map(Number);
  for (const id of new Set(made.outerHTML.match(/url\(#[\w-]+\)/g) ?? [])) {
    const defined = document.getElementById(id.slice(5, -1));
    if (defined) {
      const copy = /** @type {Element} */ (defined.cloneNode(true));
      dress(defined, copy);
      made.prepend(copy);
    }
  }
  const paper = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  for (const [name, value] of Object.entries({ x, y, width, height })) paper.setAttribute(name, String(value));
  paper.setAttribute('fill', plain(getComputedStyle(document.body).backgroundColor));
  made.prepend(paper);
  made.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  made.setAttribute('width', String(width));
  made.setAttribute('height', String(height));
  if (shown !== seen) shown.remove();
  return { text: new XMLSerializer().serializeToString(made), width, height };
};

/** @param {string} text @returns {string} a cell; one that a spreadsheet would run as a formula is kept as text */
const cell = (text) => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** @param {HTMLElement} figure @returns {string} the table, with a mark at the start that spreadsheets know UTF-8 by */
const csvOf = (figure) => {
  const rows = [...figure.querySelectorAll('table tr')];
  return `\uFEFF${rows.map((row) => [...row.querySelectorAll('th, td')].map((one) => cell(one.textContent?.trim() ?? '')).join(',')).join('\r\n')}\r\n`;
};

/** @param {Blob} blob @param {string} name hand a file over */
const hand = (blob, name) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

/** @param {{text: string, width: number, height: number}} svg @returns {Promise<Blob | null>} twice as fine as the screen */
const pngOf = async (svg) => {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg.text)}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = 2 * svg.width;
  canvas.height = 2 * svg.height;
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, 'image/png'); });
};

document.addEventListener('click', async (event) => {
  const button = event.target instanceof Element ? event.target.closest('[data-save]') : null;
  const figure = button?.closest('[data-chart]');
  if (!(button instanceof HTMLElement) || !(figure instanceof HTMLElement)) return;
  const name = (figure.dataset.chart || 'chart').toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'chart';
  if (button.dataset.save === 'csv') return hand(new Blob([csvOf(figure)], { type: 'text/csv;charset=utf-8' }), `${name}.csv`);
  const svg = svgOf(figure);
  if (!svg) return;
  if (button.dataset.save === 'svg') return hand(new Blob([svg.text], { type: 'image/svg+xml' }), `${name}.svg`);
  const png = await pngOf(svg);
  if (png) hand(png, `${name}.png`);
});
