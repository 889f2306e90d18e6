var e=localStorage.getItem("candor:theme");e&&(document.documentElement.dataset.theme=e);document.documentElement.classList.add("has-scripts");
