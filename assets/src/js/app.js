// What every page shares: theme, dialogs, keys of links and buttons, search focus.
import 'htmx.org';
import { createPlayer } from './player.js';

/** @param {EventTarget | null} target @returns {boolean} whether somebody is typing there */
export const typing = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches('textarea, select, input:not([type=radio], [type=checkbox], [type=range], [type=button])'));

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
  if (event.key === '?' && letters) document.getElementById('keys')?.showModal();
  if (event.key === '/' && letters) {
    const search = document.getElementById('q');
    if (search) { event.preventDefault(); search.focus(); }
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  const free = document.activeElement === document.body || document.activeElement?.id === 'main';
  if (target instanceof HTMLElement && (event.key === 'Enter' ? free : letters)) { event.preventDefault(); target.click(); }
});

const summary = document.querySelector('.error-summary[tabindex]');
if (summary instanceof HTMLElement) summary.focus();

if (!document.querySelector('[data-workspace]'))
  for (const root of document.querySelectorAll('[data-player]')) createPlayer(/** @type {HTMLElement} */ (root));
