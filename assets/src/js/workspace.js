// The evaluation workspace: keys, autosave, live score, evidence, submit sheet.
// The server scores; this only asks, shows and never loses what was typed.
import { actOf, typing } from './app.js';
import { clock, createPlayer } from './player.js';
import { Vault } from './vault.js';

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const form = /** @type {HTMLFormElement} */ ($('[data-form]'));
const facts = form.dataset;
const csrf = () => $('meta[name=csrf]').content;
const playerRoot = $('[data-player]');
const player = playerRoot ? createPlayer(playerRoot) : null;
const vault = new Vault(facts.user, facts.evaluation, facts.draftKey);
const tab = crypto.randomUUID();
const channel = new BroadcastChannel(`candor:${facts.evaluation}`);
const questions = $$('.question', form);
const byRef = new Map(questions.map((q) => [q.dataset.ref, q]));
const IDLE_MS = 60_000;

let live = JSON.parse(facts.live);
let revision = Number(facts.revision);
let worked = Number(facts.worked);
let unsent = 0;

// ------------------------------------------------------------------ reading and writing fields

/** @param {HTMLElement} q @returns {string | string[] | null} the answer as the server knows it */
function answerOf(q) {
  const na = $('[data-na]', q);
  if (na?.checked) return 'na';
  const text = $('[data-text-answer]', q);
  if (text) return text.value.trim() === '' ? null : text.value;
  const chosen = $$('[data-answers] input:checked', q);
  if (q.dataset.type === 'single') return chosen[0]?.value ?? null;
  if (chosen.some((input) => 'none' in input.dataset)) return [];
  return chosen.length ? chosen.map((input) => input.value).sort() : null;
}

/** @param {HTMLElement} q @param {any} value */
function writeAnswer(q, value) {
  const text = $('[data-text-answer]', q);
  if (text) text.value = value === null || value === 'na' ? '' : String(value);
  const values = Array.isArray(value) ? value.map(String) : value === null ? [] : [String(value)];
  for (const input of $$('[data-answers] input, [data-na]', q))
    input.checked = 'none' in input.dataset ? Array.isArray(value) && value.length === 0 : values.includes(input.value);
}

/** What concerns the whole form, by the name the server knows. @type {[string, HTMLInputElement][]} */
const whole = $$('[data-whole]', form).map((input) => [input.dataset.whole, input]);

/** @param {HTMLElement | null} q a question, null for the whole form @returns {Record<string, any>} */
const fieldsOf = (q) => (q === null ? Object.fromEntries(whole.map(([name, input]) => [name, input.value || null])) : {
  answer: answerOf(q),
  comment: $('[data-comment]', q)?.value || null,
  root_cause: $('[data-cause]', q)?.value || null,
  coaching: $('[data-star]', q)?.checked || null,
});

/** @param {HTMLElement | null} q @param {string} field @param {any} value */
function writeField(q, field, value) {
  if (q === null) { const found = whole.find(([name]) => name === field); if (found) found[1].value = value ?? ''; return; }
  if (field === 'answer') writeAnswer(q, value);
  else if (field === 'coaching') $('[data-star]', q).checked = Boolean(value);
  else $(field === 'comment' ? '[data-comment]' : '[data-cause]', q).value = value ?? '';
  showComment(q, false);
}

/** Every question with its ref, and the whole form as ''. @type {[string, HTMLElement | null][]} */
const places = [...questions.map((q) => [q.dataset.ref, q]), ['', null]];
const placeOf = (ref) => (ref === '' ? null : byRef.get(ref));
const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

/** What the server is known to hold, by "ref field". @type {Map<string, any>} */
const known = new Map();
for (const [ref, q] of places) for (const [field, value] of Object.entries(fieldsOf(q))) known.set(`${ref} ${field}`, value);

/** Evidence by question, as shown. @type {Map<string, any>} */
const pins = new Map();
let pinsToAdd = [];
let pinsToRemove = [];

// ------------------------------------------------------------------ autosave

function changes() {
  const found = [];
  for (const [ref, q] of places)
    for (const [field, value] of Object.entries(fieldsOf(q))) {
      const was = known.get(`${ref} ${field}`);
      if (!same(was, value)) found.push({ question: ref, field, was, value });
    }
  return found;
}

const pending = () => ({ changes: changes(), pins: { add: [...pinsToAdd], remove: [...pinsToRemove] } });
const isEmpty = (body) => !body.changes.length && !body.pins.add.length && !body.pins.remove.length;

let timer = 0;
let sending = false;
let failures = 0;
let saidAt = '';

/** Keep what changed on this computer at once, and send it soon. @param {number} wait ms */
function changed(wait = 700) {
  const body = pending();
  vault.keep(isEmpty(body) ? null : { ...body, at: Date.now() });
  if (isEmpty(body)) return;
  say('waiting', 'Saving…');
  clearTimeout(timer);
  timer = setTimeout(send, wait);
}

/** @param {string} state saved, waiting or failed @param {string} words */
function say(state, words) {
  const place = $('[data-save-state]');
  place.dataset.state = state;
  $('[data-save-words]', place).textContent = words;
}

async function send() {
  clearTimeout(timer);
  if (sending) { timer = setTimeout(send, 300); return false; }
  const body = pending();
  if (isEmpty(body) && unsent < 15) { if (saidAt) say('saved', `Saved ${saidAt}`); return true; }
  const seconds = unsent;
  sending = true;
  let answer;
  try {
    answer = await fetch(facts.autosave, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRF': csrf(), 'If-Match': `"${revision}"` },
      body: JSON.stringify({ ...body, base: revision, worked_seconds: seconds, client: tab }),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    return later('Not saved yet: the server does not answer. Your work is kept on this computer.');
  } finally {
    sending = false;
  }
  let told;
  try { told = await answer.json(); } catch { return later('Not saved yet: the answer was damaged. Your work is kept on this computer.'); }
  if (answer.ok) return saved(body, told, seconds);
  if (answer.status === 401) return expired(told);
  if (answer.status === 409 && told.conflicts) { conflict(told); return false; }
  if (answer.status === 422) return refused(told);
  return later(`Not saved yet: ${told.error ?? 'the server is busy.'} Your work is kept on this computer.`);
}

function later(words) {
  failures += 1;
  say('failed', words);
  timer = setTimeout(send, [1000, 2000, 5000, 10_000, 30_000][Math.min(failures - 1, 4)]);
  return false;
}

function expired(told) {
  const place = $('[data-notice]');
  const link = document.createElement('a');
  link.href = told.sign_in ?? '/sign-in';
  link.target = '_blank';
  link.textContent = 'Sign in in a new tab';
  $('[data-notice-words]').replaceChildren('Your session has expired. Nothing is lost: what you typed is kept on this computer. ', link, ', then load this page again.');
  place.hidden = false;
  return later('Not saved yet: your session has expired.');
}

function saved(body, told, seconds) {
  failures = 0;
  unsent -= seconds;
  for (const one of body.changes) known.set(`${one.question} ${one.field}`, one.value);
  pinsToAdd = pinsToAdd.filter((pin) => !body.pins.add.includes(pin));
  pinsToRemove = pinsToRemove.filter((id) => !body.pins.remove.includes(id));
  revision = told.revision;
  $('input[name=revision]', form).value = String(revision);
  takeOver(told);
  for (const q of questions) setError(q, '');
  showLive(told.live);
  saidAt = new Date().toLocaleTimeString('en-GB');
  say('saved', `Saved ${saidAt}`);
  channel.postMessage({ tab, revision });
  const rest = pending();
  vault.keep(isEmpty(rest) ? null : { ...rest, at: Date.now() });
  if (!isEmpty(rest)) changed(100);
  return true;
}

/** Show what another tab or person changed on questions that were not touched here. */
function takeOver(told) {
  const starred = new Set(told.coaching ?? []);
  for (const [ref, q] of places) {
    const theirs = q === null
      ? Object.fromEntries(Object.entries(told.whole ?? {}).map(([name, value]) => [name, value || null]))
      : { answer: told.answers?.[ref] ?? null, comment: told.comments?.[ref] || null, root_cause: told.causes?.[ref] || null, coaching: starred.has(ref) || null };
    for (const [field, value] of Object.entries(theirs)) {
      const key = `${ref} ${field}`;
      const mine = fieldsOf(q)[field] ?? null;
      if (same(known.get(key), value) || !same(mine, known.get(key))) continue;
      if (q !== null && field === 'comment' && document.activeElement === $('[data-comment]', q)) continue;
      writeField(q, field, value);
      known.set(key, value);
    }
  }
}

function refused(told) {
  let named = false;
  for (const [ref, sentence] of Object.entries(told.errors ?? {})) {
    const q = byRef.get(ref);
    if (q) { setError(q, sentence); named = true; }
  }
  say('failed', named ? 'Not saved: one answer cannot be kept as it is.' : `Not saved: ${told.error}`);
  return false;
}

function setError(q, sentence) {
  q.dataset.error = sentence;
  showNeed(q, sentence ? [sentence] : []);
}

// ------------------------------------------------------------------ conflict

function conflict(told) {
  const dialog = $('[data-conflict-dialog]');
  const list = $('[data-conflict-list]', dialog);
  say('failed', 'Not saved: choose what shall stand.');
  list.replaceChildren(...told.conflicts.map((one, i) => {
    const box = document.createElement('fieldset');
    const legend = document.createElement('legend');
    legend.textContent = one.number ? `Question ${one.number}: ${one.text}${one.field === 'comment' ? ', comment' : ''}` : one.text;
    const choice = document.createElement('div');
    choice.className = 'conflict-choice';
    for (const [value, words, shown] of [['theirs', 'There', one.theirs_words], ['yours', 'Here', one.yours_words]]) {
      const label = document.createElement('label');
      const input = Object.assign(document.createElement('input'), { type: 'radio', name: `c${i}`, value, checked: value === 'yours' });
      const strong = document.createElement('strong');
      strong.textContent = ` ${words}: `;
      label.append(input, strong, String(shown));
      choice.append(label);
    }
    box.append(legend, choice);
    return box;
  }));
  dialog.addEventListener('close', () => {
    told.conflicts.forEach((one, i) => {
      const theirs = $(`input[name=c${i}]:checked`, list)?.value === 'theirs';
      known.set(`${one.question} ${one.field}`, one.theirs);
      if (theirs) writeField(placeOf(one.question) ?? null, one.field, one.theirs);
    });
    changed(0);
  }, { once: true });
  dialog.showModal();
}

// ------------------------------------------------------------------ live score

function showLive(next) {
  live = next;
  $('[data-raw]').textContent = live.raw ?? '–';
  $('[data-answered]').textContent = `${live.answered} of ${live.total} answered`;
  $('[data-answered-short]').textContent = `${live.answered} of ${live.total}`;
  $('[data-possible]').textContent = live.low === null ? 'Nothing is scored yet.' : live.low === live.high ? `It ends at ${live.low}.` : `Can still end between ${live.low} and ${live.high}.`;
  $('[data-reported]').textContent = live.form_failed && !live.keeps_score ? 'Reported: 0' : '';
  $('[data-fail-badge]').hidden = !live.form_failed;
  $('[data-pass-badge]').hidden = live.outcome !== 'pass';
  const banner = $('[data-fail-banner]');
  banner.hidden = !live.form_failed;
  const cause = live.fail_causes.find((one) => one.scope === 'form');
  if (cause) $('[data-fail-words]').textContent = `Auto-fail: ${cause.number ? `question ${cause.number}, ` : ''}${cause.text}`;
  drawBar();
  for (const head of $$('[data-section]')) {
    const points = live.sections[head.dataset.section];
    $('[data-section-points]', head).textContent = points && Number(points.of) ? `${points.earned} of ${points.of}` : '';
  }
  const visible = new Set(live.visible);
  const opened = [];
  const hadFocus = document.activeElement?.closest?.('.question');
  for (const q of questions) {
    const hide = !visible.has(q.dataset.ref);
    if (q.hidden && !hide) opened.push(q);
    if (q.hidden !== hide) keepPlace(() => { q.hidden = hide; });
    const needs = live.needs.filter((need) => need.ref === q.dataset.ref).map((need) => (need.what === 'comment' ? 'This answer needs a comment. The agent reads it.' : 'This answer needs a pinned moment. Press p at the place.'));
    if (needs.length && needs.some((n) => n.includes('comment'))) showComment(q, true);
    showNeed(q, q.dataset.error ? [q.dataset.error] : needs);
  }
  const todo = [];
  if (live.missing.length) todo.push(`${live.missing.length} open`);
  if (live.needs.length) todo.push(`${live.needs.length} comment or evidence missing`);
  $('[data-todo]').textContent = todo.join(', ');
  if (current?.hidden) setCurrent(nextOpen(current) ?? current);
  // a question that closed under somebody's hands does not take the focus with it
  if (hadFocus?.hidden) $('[data-form-scroll]').focus();
  // an answer opened questions that were stepped over: go back to the first of them
  const first = opened.find((q) => lastAnswered && current && questions.indexOf(q) > questions.indexOf(lastAnswered) && questions.indexOf(q) < questions.indexOf(current));
  if (first && answerOf(current) === null && !typing(document.activeElement)) setCurrent(first);
}

function drawBar() {
  const bar = $('[data-bar]');
  const x = (value) => (560 * (value ?? 0)) / 100;
  const { low, now, high, pass } = live.bar;
  const set = (selector, values) => { for (const [key, value] of Object.entries(values)) $(selector, bar).setAttribute(key, String(value)); };
  set('[data-fill]', { width: x(low) });
  set('[data-open-part]', { x: x(low), width: Math.max(0, x(high) - x(low)) });
  set('[data-now]', { x: Math.max(0, x(now) - 2), visibility: now === null ? 'hidden' : 'visible' });
  set('[data-pass]', { x1: x(pass), x2: x(pass), visibility: pass === null ? 'hidden' : 'visible' });
  bar.setAttribute('aria-label', live.raw === null ? 'No score yet.' : `Score so far ${live.raw}. With the open questions it can end between ${live.low} and ${live.high}.${live.pass ? ` Pass mark ${live.pass}.` : ''}`);
}

/** Change the page without moving what is under the pointer. @param {() => void} change */
function keepPlace(change) {
  const anchor = document.querySelector('.question:hover') ?? current;
  const before = anchor?.getBoundingClientRect().top;
  change();
  if (anchor && before !== undefined) $('[data-form-scroll]').scrollTop += anchor.getBoundingClientRect().top - before;
}

function showNeed(q, sentences) {
  const place = $('[data-need]', q);
  place.hidden = !sentences.length;
  $('span', place).textContent = sentences.join(' ');
}

function showComment(q, open) {
  const box = $('[data-comment-box]', q);
  const used = Boolean($('[data-comment]', q).value || $('[data-cause]', q)?.value || $('[data-star]', q)?.checked);
  box.hidden = !open && !used;
  $('[data-open-comment]', q).setAttribute('aria-pressed', String(used));
}

// ------------------------------------------------------------------ moving and keys

/** @type {HTMLElement | null} */
let current = null;
/** @type {HTMLElement | null} */
let lastAnswered = null;

function setCurrent(q, scroll = true) {
  if (!q) return;
  current?.classList.remove('is-current');
  current = q;
  q.classList.add('is-current');
  if (scroll) q.scrollIntoView({ block: 'nearest' });
}

const shown = () => questions.filter((q) => !q.hidden);
const nextOpen = (from) => {
  const list = shown();
  const place = list.indexOf(from);
  return [...list.slice(place + 1), ...list.slice(0, place + 1)].find((q) => live.missing.includes(q.dataset.ref) && answerOf(q) === null);
};

function move(step) {
  const list = shown();
  const place = current ? list.indexOf(current) : -1;
  setCurrent(list[Math.min(Math.max(place + step, 0), list.length - 1)]);
  tell(`Question ${current.dataset.number}: ${$('.ask', current).firstChild.textContent.trim()}`);
}

/** Say something to who listens instead of looking. @param {string} words */
function tell(words) { $('[data-told]').textContent = words; }

/** A digit picks an answer; in a question for a number it begins the number. @param {KeyboardEvent} event */
function digit(event) {
  const field = current ? $('[data-text-answer]', current) : null;
  if (!field || current.dataset.type !== 'number') { if (choose(event.key)) event.preventDefault(); return; }
  field.focus();
  field.select();
}

/** @param {string} key a digit as shown on the answer, or n for N/A */
function choose(key) {
  if (!current) return false;
  const label = $$('.answer', current).find((one) => (key === 'n' ? $('[data-na]', one) : ($('kbd', one) ?? $('span', one))?.textContent === key));
  const input = label ? $('input', label) : null;
  if (!input) return false;
  input.checked = input.type === 'checkbox' ? !input.checked : true;
  lastAnswered = current;
  input.dispatchEvent(new Event('change', { bubbles: true }));
  if (current.dataset.type === 'single' || key === 'n') {
    const next = shown()[shown().indexOf(current) + 1];
    if (next) setCurrent(next);
  }
  return true;
}

function comment() {
  if (!current) return;
  showComment(current, true);
  $('[data-comment]', current).focus();
}

function star() {
  if (!current) return;
  const box = $('[data-star]', current);
  box.checked = !box.checked;
  showComment(current, false);
  box.dispatchEvent(new Event('change', { bubbles: true }));
}

document.addEventListener('keydown', (event) => {
  if ((event.metaKey || event.ctrlKey) && event.key === 'Enter') { event.preventDefault(); submitKey(); return; }
  if (event.key === 'Escape' && typing(event.target)) { event.target.blur(); return; }
  if (event.key === 'Enter' && !event.altKey && !event.shiftKey && enter(event)) { event.preventDefault(); return; }
  if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target) || $('dialog[open]')) return;
  if (event.key === ' ' && !event.target.closest('button, a, input')) { event.preventDefault(); player?.toggle(); return; }
  const arrows = { ArrowLeft: () => player?.seek(player.now() - 5000), ArrowRight: () => player?.seek(player.now() + 5000), ArrowDown: () => move(1), ArrowUp: () => move(-1) };
  if (arrows[event.key] && !event.target.matches?.('input[type=radio]')) { event.preventDefault(); arrows[event.key](); return; }
  if (document.body.dataset.keys === 'off') return;
  const acts = {
    next: () => move(1), previous: () => move(-1), comment, template: templates, pin: () => pin(), star, na: () => choose('n'),
    silence: () => player?.nextSilence(), marker: () => player?.nextMarker(), slower: () => player?.faster(-1), faster: () => player?.faster(1),
  };
  const act = actOf(event.key);
  if (act in acts) { event.preventDefault(); acts[act](); }
  else if (/^[0-9]$/.test(event.key)) digit(event);
});

form.addEventListener('focusin', (event) => setCurrent(event.target.closest('.question'), false));
form.addEventListener('click', (event) => {
  const q = event.target.closest('.question');
  if (q) setCurrent(q, false);
  if (event.target.closest('[data-open-comment]')) comment();
  if (event.target.closest('[data-pin]')) pin();
  if (event.target.closest('[data-open-templates]')) templates();
  const remove = event.target.closest('[data-remove-pin]');
  if (remove) unpin(remove.dataset.removePin);
});

form.addEventListener('change', (event) => {
  const input = event.target;
  const q = input.closest('.question');
  if (q && input.matches('[data-na], [data-none]') && input.checked)
    for (const other of $$('input[type=checkbox]:checked', q)) if (other !== input) other.checked = false;
  else if (q && input.matches('[data-answers] input[type=checkbox]') && input.checked)
    for (const other of $$('[data-na]:checked, [data-none]:checked', q)) other.checked = false;
  if (q && input.matches('[data-star], [data-cause]')) showComment(q, true);
  if (q) q.dataset.error = '';
  changed(150);
});
form.addEventListener('input', (event) => {
  if (event.target.matches('[data-narrow]')) return narrow(event.target);
  if (event.target.matches('textarea, input:not([type=radio], [type=checkbox])')) {
    const q = event.target.closest('.question');
    if (q && event.target.matches('[data-comment]')) showComment(q, true);
    if (q && event.target.matches('[data-text-answer]') && event.target.value && $('[data-na]', q)) $('[data-na]', q).checked = false;
    changed();
  }
  return undefined;
});

/** Enter goes into the field of the question, and out of a line that was typed. @param {KeyboardEvent} event */
function enter(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if ($('dialog[open]') || target.matches('textarea, button, a, select, summary')) return false;
  if (target.matches('[data-narrow]')) { pick(target); return true; }
  if (target.matches('[data-text-answer]')) { target.blur(); move(1); return true; }
  const inForm = target.matches('[data-answers] input') || target === document.body || target.id === 'main' || target.matches('[data-form-scroll]');
  const field = inForm && current ? $('[data-narrow], [data-text-answer]', current) : null;
  field?.focus();
  return Boolean(field) || target.matches('[data-answers] input');
}

// ------------------------------------------------------------------ long lists of options

const offered = (input) => $$('[data-long-list] .answer', input.closest('[data-answers]'));

/** Show the options that hold every typed word; the first is the one that Enter takes. */
function narrow(input) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const label of offered(input)) label.hidden = !words.every((word) => label.textContent.toLowerCase().includes(word));
  mark(input, 0);
}

/** @param {HTMLInputElement} input @param {number} place among the shown ones */
function mark(input, place) {
  const list = offered(input).filter((label) => !label.hidden);
  const at = Math.min(Math.max(place, 0), list.length - 1);
  for (const label of offered(input)) delete label.dataset.marked;
  if (list[at]) { list[at].dataset.marked = ''; list[at].scrollIntoView({ block: 'nearest' }); }
  const total = offered(input).length;
  $('[data-narrow-words]', input.closest('[data-answers]')).textContent = list.length
    ? `${input.value ? `${list.length} of ${total}. ` : ''}Enter takes “${$('span', list[at]).textContent}”.`
    : 'No option holds these words.';
}

function step(input, by) {
  const list = offered(input).filter((label) => !label.hidden);
  mark(input, list.findIndex((label) => 'marked' in label.dataset) + by);
}

function pick(input) {
  const label = offered(input).find((one) => 'marked' in one.dataset && !one.hidden);
  if (!label) return;
  const box = $('input', label);
  box.checked = box.type === 'checkbox' ? !box.checked : true;
  input.value = '';
  narrow(input);
  lastAnswered = current;
  box.dispatchEvent(new Event('change', { bubbles: true }));
  if (current.dataset.type === 'single') { input.blur(); move(1); }
}

for (const input of $$('[data-narrow]')) {
  input.addEventListener('focus', () => narrow(input));
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    step(input, event.key === 'ArrowDown' ? 1 : -1);
  });
}

function templates() {
  const menu = $('[data-template-menu]');
  if (!current) return;
  showComment(current, true);
  menu.showPopover();
  $('button', menu)?.focus();
}
for (const button of $$('[data-template]'))
  button.addEventListener('click', () => {
    const area = $('[data-comment]', current);
    area.value = area.value ? `${area.value} ${button.dataset.template}` : button.dataset.template;
    $('[data-template-menu]').hidePopover();
    area.focus();
    changed(150);
  });

// ------------------------------------------------------------------ evidence

function selected() {
  const selection = getSelection();
  if (!selection || selection.isCollapsed) return null;
  const text = selection.anchorNode?.parentElement?.closest('[data-text]');
  if (!text || text !== selection.focusNode?.parentElement?.closest('[data-text]')) return null;
  const range = selection.getRangeAt(0);
  const before = range.cloneRange();
  before.selectNodeContents(text);
  before.setEnd(range.startContainer, range.startOffset);
  // offsets count code points, as the server does
  const start = [...before.toString()].length;
  const turn = Number(text.closest('[data-turn]').dataset.turn);
  return { kind: 'text', turn_id: turn, char_start: start, char_end: start + [...range.toString()].length, quote: range.toString() };
}

let lastMessage = null;
for (const message of $$('.message[data-turn]')) message.addEventListener('click', () => {
  lastMessage?.removeAttribute('aria-current');
  lastMessage = message;
  message.setAttribute('aria-current', 'true');
});

function pin() {
  if (!current) setCurrent(shown()[0]);
  const found = selected() ?? moment() ?? message();
  if (!found) { say('waiting', 'Select a passage or a message first, then press p.'); return; }
  const one = { client_id: crypto.randomUUID(), question: current.dataset.ref, note: '', ...found };
  pins.set(one.client_id, one);
  const { quote, ...sent } = one;
  pinsToAdd.push(sent);
  tell(`Pinned to question ${current.dataset.number}${found.start_ms != null ? ` at ${clock(found.start_ms)}` : ''}`);
  getSelection()?.removeAllRanges();
  showPins();
  changed(150);
}

function moment() {
  if (!player) return null;
  const now = Math.round(player.now());
  const line = $$('[data-transcript] [data-start]').find((one) => Number(one.dataset.start) <= now && Number(one.dataset.end) >= now);
  const start = line ? Number(line.dataset.start) : Math.max(0, now - 2000);
  const end = line ? Math.max(Number(line.dataset.end), start + 500) : Math.max(now, start + 1000);
  return { kind: 'audio', start_ms: start, end_ms: end, quote: line ? $('[data-text]', line).textContent : '' };
}

function message() {
  if (!lastMessage) return null;
  return { kind: 'message', turn_id: Number(lastMessage.dataset.turn), quote: $('[data-text]', lastMessage).textContent };
}

function unpin(id) {
  pins.delete(id);
  if (pinsToAdd.some((one) => one.client_id === id)) pinsToAdd = pinsToAdd.filter((one) => one.client_id !== id);
  else pinsToRemove.push(id);
  const asked = document.activeElement?.closest('.question');
  showPins();
  // the button that was pressed is gone: stay at its question
  if (asked && !asked.contains(document.activeElement)) $('[data-pin]', asked)?.focus();
  tell('Evidence removed');
  changed(150);
}

function showPins() {
  for (const q of questions) {
    const own = [...pins.values()].filter((one) => one.question === q.dataset.ref);
    $('[data-pins]', q).replaceChildren(...own.map(pinRow));
    $('[data-pin]', q)?.setAttribute('aria-pressed', String(own.length > 0));
  }
  for (const badge of $$('[data-badges] [data-pin-badge]')) badge.remove();
  for (const marked of $$('[data-pinned]')) delete marked.dataset.pinned;
  for (const one of pins.values()) {
    const line = one.turn_id ? document.getElementById(`turn-${one.turn_id}`) : $$('[data-transcript] [data-start]').find((l) => Number(l.dataset.start) < one.end_ms && Number(l.dataset.end) > one.start_ms);
    if (!line) continue;
    line.dataset.pinned = '';
    const badge = document.createElement('span');
    badge.className = 'badge';
    badge.dataset.tone = 'accent';
    badge.dataset.pinBadge = '';
    badge.append(glyph('pin'), `Q${byRef.get(one.question)?.dataset.number ?? ''}`);
    $('[data-badges]', line)?.append(badge);
  }
  player?.setMarkers([...pins.values()].filter((one) => one.start_ms != null).map((one) => ({ start: one.start_ms, end: one.end_ms ?? one.start_ms + 1000 })));
}

/** @param {string} name of an icon of the sprite */
function glyph(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `${document.body.dataset.sprite}#i-${name}`);
  svg.append(use);
  return svg;
}

function pinRow(one) {
  const row = document.createElement('div');
  row.className = 'pin-row';
  const clip = document.createElement('button');
  clip.type = 'button';
  clip.className = 'clip';
  if (one.start_ms != null && player) {
    Object.assign(clip.dataset, { clip: '', start: one.start_ms, end: one.end_ms ?? one.start_ms + 8000 });
    clip.append(glyph('play'), clock(one.start_ms));
    clip.setAttribute('aria-label', `Play from ${clock(one.start_ms)}`);
  } else {
    clip.append(glyph('pin'), 'show');
    clip.addEventListener('click', () => document.getElementById(`turn-${one.turn_id}`)?.scrollIntoView({ block: 'center' }));
  }
  const quote = document.createElement('bdi');
  quote.className = 'small quote';
  quote.textContent = (one.quote ?? '').slice(0, 90);
  const remove = document.createElement('button');
  remove.type = 'button';
  remove.className = 'btn btn-quiet btn-icon btn-small';
  remove.dataset.removePin = one.client_id;
  remove.setAttribute('aria-label', 'Remove this evidence');
  remove.append(glyph('x'));
  row.append(clip, quote, remove);
  return row;
}

for (const row of $$('[data-pin-id]')) {
  const clip = $('.clip', row);
  const q = row.closest('.question');
  const turn = clip?.getAttribute('href')?.replace('#turn-', '');
  pins.set(row.dataset.pinId, {
    client_id: row.dataset.pinId, question: q.dataset.ref, quote: $('.quote', row)?.textContent ?? '',
    start_ms: clip?.dataset.start ? Number(clip.dataset.start) : null, end_ms: clip?.dataset.end ? Number(clip.dataset.end) : null,
    turn_id: turn ? Number(turn) : null,
  });
}

// ------------------------------------------------------------------ submit sheet

const sheet = $('[data-sheet-dialog]');

async function openSheet() {
  const done = await send();
  if (!isEmpty(pending()) && !done) return;
  let answer;
  try {
    answer = await fetch(facts.sheet, { headers: { 'X-Fragment': '1' } });
  } catch {
    later('The server does not answer. Your work is kept on this computer.');
    return;
  }
  if (answer.status === 401) { expired(await answer.json()); return; }
  if (!answer.ok) { say('failed', 'The submit sheet could not be loaded. Try again in a moment.'); return; }
  sheet.innerHTML = await answer.text();
  sheet.showModal();
}

function submitKey() {
  if (sheet.open) { const button = $('[data-confirm]', sheet); if (!button.disabled) button.click(); }
  else openSheet();
}

sheet.addEventListener('click', (event) => {
  const go = event.target.closest('[data-go]');
  if (go) { event.preventDefault(); sheet.close(); setCurrent(byRef.get(go.dataset.go)); }
  if (event.target.closest('[data-close]')) { event.preventDefault(); sheet.close(); }
});
sheet.addEventListener('submit', (event) => { if (event.target.method === 'post') vault.keep(null); });
form.addEventListener('submit', (event) => { event.preventDefault(); openSheet(); });

for (const button of $$('[data-pane-for]'))
  button.addEventListener('click', () => {
    $('.workspace').dataset.pane = button.dataset.paneFor;
    for (const other of $$('[data-pane-for]')) other.setAttribute('aria-selected', String(other === button));
  });

// ------------------------------------------------------------------ time really worked

let active = Date.now();
for (const kind of ['pointermove', 'keydown', 'wheel', 'touchstart']) addEventListener(kind, () => { active = Date.now(); }, { passive: true });
setInterval(() => {
  const busy = document.visibilityState === 'visible' && (Date.now() - active < IDLE_MS || player?.playing());
  if (!busy) return;
  unsent += 1;
  worked += 1;
  $('[data-spent]').textContent = clock(worked * 1000).replace(/^0/, '');
  if (unsent >= 15 && !sending && failures === 0) send();
}, 1000);

addEventListener('online', () => send());
document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible' && !isEmpty(pending())) send(); });
addEventListener('beforeunload', (event) => { if (!isEmpty(pending())) event.preventDefault(); });
channel.addEventListener('message', async (event) => {
  // another tab saved: ask the server what it holds now, without changing anything
  if (event.data.tab === tab || event.data.revision <= revision || !isEmpty(pending())) return;
  unsent = Math.max(unsent, 15);
  send();
});

// ------------------------------------------------------------------ start

async function restore() {
  const kept = await vault.open();
  if (!kept) return;
  let count = 0;
  for (const one of kept.changes ?? []) {
    const q = placeOf(one.question);
    if (q === undefined || same(known.get(`${one.question} ${one.field}`), one.value)) continue;
    writeField(q, one.field, one.value);
    // what was seen then: if somebody changed it since, the server asks
    known.set(`${one.question} ${one.field}`, one.was);
    count += 1;
  }
  for (const one of kept.pins?.add ?? []) if (!pins.has(one.client_id)) { pins.set(one.client_id, one); pinsToAdd.push(one); count += 1; }
  pinsToRemove.push(...(kept.pins?.remove ?? []));
  for (const id of pinsToRemove) pins.delete(id);
  if (!count) { vault.keep(null); return; }
  const at = new Date(kept.at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  $('[data-notice-words]').textContent = `${count === 1 ? 'One change' : `${count} changes`} from ${at} that had not reached the server ${count === 1 ? 'was' : 'were'} restored.`;
  $('[data-notice]').hidden = false;
  changed(0);
}

for (const q of questions) showComment(q, false);
showLive(live);
await restore();
showPins();
setCurrent(questions.find((q) => !q.hidden && live.missing.includes(q.dataset.ref)) ?? shown()[0]);
document.body.dataset.ready = 'true';
