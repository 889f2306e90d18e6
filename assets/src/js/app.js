// What every page shares: theme, dialogs, keys of links and buttons, search focus.
import 'htmx.org';
import './chart-tools.js';
import { createPlayer } from './player.js';

/** @param {EventTarget | null} target @returns {boolean} whether somebody is typing there */
export const typing = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches('textarea, select, input:not([type=radio], [type=checkbox], [type=range], [type=button])'));

/** The single keys of whoever is signed in, by act. @type {Record<string, string>} */
const keymap = JSON.parse(document.body.dataset.keymap || '{}');
const acts = new Map(Object.entries(keymap).map(([act, key]) => [key, act]));

/** @param {string} key @returns {string} the act this key stands for, '' for none */
export const actOf = (key) => acts.get(key) ?? '';

for (const button of document.querySelectorAll('[data-open]'))
  button.addEventListener('click', () => /** @type {HTMLDialogElement} */ (document.getElementById(button.dataset.open)).showModal());

for (const button of document.querySelectorAll('[data-theme-toggle]'))
  button.addEventListener('click', () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    localStorage.setItem('candor:theme', root.dataset.theme);
  });

// A signed-out browser keeps no drafts: their key is gone from the server too.
for (const form of document.querySelectorAll('form[action$="/sign-out"]'))
  form.addEventListener('submit', () => {
    for (const key of Object.keys(localStorage)) if (key.startsWith('candor:draft:')) localStorage.removeItem(key);
  });

document.addEventListener('keydown', (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target) || document.querySelector('dialog[open]')) return;
  const letters = document.body.dataset.keys !== 'off';
  const act = letters ? actOf(event.key) : '';
  if (act === 'help') { event.preventDefault(); document.getElementById('keys')?.showModal(); }
  if (act === 'search') {
    const search = document.getElementById('q');
    if (search) { event.preventDefault(); search.focus(); }
  }
  const free = document.activeElement === document.body || document.activeElement?.id === 'main';
  const target = event.key === 'Enter' && free
    ? document.querySelector('[data-key="Enter"]')
    : act && document.querySelector(`[data-act="${act}"]`);
  if (target instanceof HTMLElement) { event.preventDefault(); target.click(); }
});

const summary = document.querySelector('.error-summary[tabindex]');
if (summary instanceof HTMLElement) summary.focus();

if (!document.querySelector('[data-workspace]'))
  for (const root of document.querySelectorAll('[data-player]')) {
    const clips = [...document.querySelectorAll('[data-clip]')].map((clip) => ({ start: Number(clip.dataset.start), end: Number(clip.dataset.end) }));
    createPlayer(/** @type {HTMLElement} */ (root)).setMarkers(clips);
  }
