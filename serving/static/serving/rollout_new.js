// Of the modes' settings, only those of the chosen mode are shown.

const all = document.querySelectorAll(".mode-settings");

function show() {
  const chosen = document.querySelector("[name=mode]:checked")?.value;
  for (const one of all) one.hidden = one.dataset.mode !== chosen;
}

for (const mode of document.querySelectorAll("[name=mode]")) mode.addEventListener("change", show);
show();
