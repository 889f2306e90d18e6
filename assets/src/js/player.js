// The player: one recording, its lanes drawn from the server's peaks, and the transcript that follows.
// Markup contract: qa/web/templates/player.html.

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 720;

/** @param {number} ms @returns {string} 00:41 or 1:02:03 */
export function clock(ms) {
  const s = Math.floor(ms / 1000);
  const two = (n) => String(n).padStart(2, '0');
  const rest = `${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : rest;
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/** @param {string} text @returns {Uint8Array} */
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/**
 * Bring one player to life.
 * @param {HTMLElement} root
 */
export function createPlayer(root) {
  const audio = /** @type {HTMLAudioElement} */ (root.querySelector('audio'));
  const duration = Number(root.dataset.duration) || 1;
  // from the transcript; without one, from the sound as the worker heard it
  let silences = JSON.parse(root.dataset.silences || '[]');
  let overlaps = JSON.parse(root.dataset.overlaps || '[]');
  const play = root.querySelector('[data-play]');
  const shownClock = root.querySelector('[data-clock]');
  const seekBar = /** @type {HTMLInputElement} */ (root.querySelector('[data-seek]'));
  const skipButton = root.querySelector('[data-skip]');
  const skippedWords = root.querySelector('[data-skipped]');
  const speed = /** @type {HTMLSelectElement} */ (root.querySelector('[data-speed]'));
  const marks = root.querySelector('[data-marks]');
  const lanes = [...root.querySelectorAll('[data-lane]')];
  const x = (ms) => (WIDTH * ms) / duration;
  /** @type {{start: number, end: number}[]} */
  let markers = [];
  let stopAt = Infinity;
  let skips = false;
  let skipped = 0;

  const now = () => audio.currentTime * 1000;
  const seek = (ms) => { audio.currentTime = Math.min(Math.max(ms, 0), duration) / 1000; show(); };

  fetch(root.dataset.peaks, { headers: { Accept: 'application/json' } })
    .then((answer) => answer.json())
    .then((data) => {
      if (root.dataset.bands === 'sound') { silences = data.silences ?? []; overlaps = data.overlaps ?? []; }
      return data;
    })
    .then((data) => lanes.forEach((lane, i) => draw(lane, data.channels?.[i] ? bytes(data.channels[i]) : new Uint8Array())))
    .catch(() => { if (skippedWords) skippedWords.textContent = 'The lanes could not be drawn; playing works.'; });

  /** @param {Element} lane @param {Uint8Array} peaks */
  function draw(lane, peaks) {
    const bars = 240;
    const loudest = Math.max(1, ...peaks);
    let path = '';
    for (let i = 0; i < bars; i++) {
      const from = Math.floor((i * peaks.length) / bars);
      const to = Math.max(from + 1, Math.floor(((i + 1) * peaks.length) / bars));
      let top = 0;
      for (let k = from; k < to && k < peaks.length; k++) top = Math.max(top, peaks[k]);
      const half = Math.max(0.7, (top / loudest) * 15.5);
      path += `M${((i + 0.5) * WIDTH) / bars} ${(17 - half).toFixed(1)}V${(17 + half).toFixed(1)}`;
    }
    const who = lane.dataset.who;
    const clipId = `played-${lane.dataset.lane}`;
    const clip = shape('clipPath', { id: clipId });
    clip.append(shape('rect', { x: 0, y: 0, width: 0, height: 34, 'data-played': '' }));
    lane.replaceChildren(
      clip,
      ...silences.map(([a, b]) => shape('rect', { class: 'band-silence', x: x(a), y: 0, width: x(b) - x(a), height: 34 })),
      ...overlaps.map(([a, b]) => shape('rect', { class: 'band-overlap', x: x(a), y: 0, width: Math.max(1.5, x(b) - x(a)), height: 34 })),
      shape('path', { class: `wave ${who} ahead`, d: path }),
      shape('path', { class: `wave ${who}`, d: path, 'clip-path': `url(#${clipId})` }),
      shape('line', { class: 'playhead', x1: 0, x2: 0, y1: 0, y2: 100 }),
    );
    show();
  }

  function drawMarks() {
    marks?.replaceChildren(
      ...markers.map((m) => shape('rect', { class: 'pin-span', x: x(m.start), y: 1, width: Math.max(4, x(m.end) - x(m.start)), height: 8, rx: 1 })),
      shape('line', { class: 'playhead', x1: 0, x2: 0, y1: 0, y2: 100 }),
    );
    marks?.setAttribute('aria-label', markers.length ? `Evidence at ${markers.map((m) => clock(m.start)).join(', ')}` : 'No evidence yet');
    show();
  }

  // Transcript: find the line by halving, and scroll only when nobody else does.
  const lines = [...document.querySelectorAll('[data-transcript] [data-start]')].map((element) => ({
    element, start: Number(element.dataset.start), end: Number(element.dataset.end),
  }));
  const scroller = document.querySelector('[data-transcript-scroll]');
  let touched = 0;
  for (const kind of ['wheel', 'touchmove', 'pointerdown']) scroller?.addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
  let current = -1;

  function follow(ms) {
    let low = 0;
    let high = lines.length - 1;
    let found = -1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (lines[middle].start <= ms) { found = middle; low = middle + 1; } else high = middle - 1;
    }
    if (found === current) return;
    lines[current]?.element.removeAttribute('aria-current');
    current = found;
    const line = lines[found];
    if (!line || (audio.paused && ms === 0)) return;
    line.element.setAttribute('aria-current', 'true');
    if (!audio.paused && Date.now() - touched > 4000) line.element.scrollIntoView({ block: 'nearest' });
  }

  function show() {
    const ms = now();
    shownClock.textContent = clock(ms);
    if (document.activeElement !== seekBar || audio.paused === false) seekBar.value = String(Math.round(ms));
    seekBar.setAttribute('aria-valuetext', clock(ms));
    for (const head of root.querySelectorAll('.playhead')) { head.setAttribute('x1', String(x(ms))); head.setAttribute('x2', String(x(ms))); }
    for (const rect of root.querySelectorAll('[data-played]')) rect.setAttribute('width', String(x(ms)));
    follow(ms);
  }

  function tick() {
    const ms = now();
    if (ms >= stopAt) { audio.pause(); stopAt = Infinity; }
    if (skips) {
      const gap = silences.find(([a, b]) => ms >= a + 300 && ms < b - 300);
      if (gap) {
        skipped += gap[1] - 200 - ms;
        seek(gap[1] - 200);
        if (skippedWords) skippedWords.textContent = `${Math.round(skipped / 1000)} s of silence skipped`;
      }
    }
    show();
    if (!audio.paused) requestAnimationFrame(tick);
  }

  const use = (name) => play.querySelector('use')?.setAttribute('href', `${document.body.dataset.sprite}#i-${name}`);
  audio.addEventListener('play', () => { play.setAttribute('aria-label', 'Pause (space)'); use('pause'); requestAnimationFrame(tick); });
  audio.addEventListener('pause', () => { play.setAttribute('aria-label', 'Play (space)'); use('play'); show(); });
  audio.addEventListener('error', () => { if (skippedWords) skippedWords.textContent = 'The sound cannot be loaded now. Reload the page.'; });
  play.addEventListener('click', () => toggle());
  root.querySelector('[data-back]').addEventListener('click', () => seek(now() - 5000));
  root.querySelector('[data-on]').addEventListener('click', () => seek(now() + 5000));
  seekBar.addEventListener('input', () => seek(Number(seekBar.value)));
  speed?.addEventListener('change', () => { audio.playbackRate = Number(speed.value); });
  skipButton?.addEventListener('click', () => { skips = !skips; skipButton.setAttribute('aria-pressed', String(skips)); });
  // after a click by pointer the space bar shall play, not press the button again
  root.addEventListener('click', (event) => { if (event.detail > 0) /** @type {HTMLElement} */ (event.target).closest('button')?.blur(); });
  speed?.addEventListener('change', () => speed.blur());
  for (const lane of [...lanes, marks])
    lane?.addEventListener('click', (event) => {
      const box = lane.getBoundingClientRect();
      seek(((event.clientX - box.left) / box.width) * duration);
    });
  document.addEventListener('click', (event) => {
    const target = /** @type {HTMLElement} */ (event.target).closest?.('[data-seek-to], [data-clip]');
    if (!(target instanceof HTMLElement)) return;
    if (target.dataset.seekTo) { seek(Number(target.dataset.seekTo)); audio.play(); }
    else playSpan(Number(target.dataset.start), Number(target.dataset.end));
  });

  const toggle = () => { stopAt = Infinity; if (audio.paused) audio.play(); else audio.pause(); };
  const playSpan = (start, end) => { seek(start); stopAt = end; audio.play(); };

  drawMarks();
  return {
    now, seek, toggle, playSpan,
    playing: () => !audio.paused,
    nextSilence() { const next = silences.find(([a]) => a > now() + 50); if (next) seek(next[1] - 500); },
    nextMarker() { const next = markers.find((m) => m.start > now() + 50) || markers[0]; if (next) seek(next.start); },
    faster(step) {
      const place = Math.min(Math.max(speed.selectedIndex + step, 0), speed.options.length - 1);
      speed.selectedIndex = place;
      audio.playbackRate = Number(speed.value);
    },
    setMarkers(list) { markers = [...list].sort((a, b) => a.start - b.start); drawMarks(); },
  };
}
