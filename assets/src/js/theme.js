// Light or dark as chosen on this computer, before anything is drawn.
const chosen = localStorage.getItem('candor:theme');
if (chosen) document.documentElement.dataset.theme = chosen;
document.documentElement.classList.add('has-scripts');
