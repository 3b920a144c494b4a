// The plot of hold-out accuracy against the number of labels. It asks every two seconds for the versions that
// are new to it and redraws only then, in place, so nothing flickers.

const plot = document.querySelector("#accuracy-curve");
const words = document.querySelector("#accuracy-curve-words");
const dark = matchMedia("(prefers-color-scheme: dark)");
const PERIOD = 2000;
const points = [];
let newest = 0;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const percent = (share) => `${(share * 100).toFixed(1)}%`;

function faded(name, share) {
  // Plotly reads hexadecimal colours with an alpha in rgba() only.
  const hex = colour(name).replace("#", "");
  const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${share})`;
}

function traces(measured) {
  const x = measured.map((point) => point.labels);
  const accent = colour("--accent");
  const edge = { x, type: "scatter", mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false };
  return [
    { ...edge, y: measured.map((point) => point.high) },
    { ...edge, y: measured.map((point) => point.low), fill: "tonexty", fillcolor: faded("--accent", 0.18) },
    {
      x,
      y: measured.map((point) => point.accuracy),
      type: "scatter",
      mode: measured.length > 60 ? "lines" : "lines+markers",
      line: { color: accent, width: 2 },
      marker: { color: accent, size: 5 },
      text: measured.map(
        (point) =>
          `version ${point.number}: ${percent(point.accuracy)} (${percent(point.low)}–${percent(point.high)})` +
          `<br>${point.labels} labels, measured on ${point.holdout_labels} hold-out labels`,
      ),
      hovertemplate: "%{text}<extra></extra>",
      showlegend: false,
    },
  ];
}

function layout() {
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line-strong"), zeroline: false, fixedrange: true };
  return {
    height: 280,
    margin: { l: 52, r: 12, t: 10, b: 44 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--muted"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--line-strong"), font: { color: colour("--ink") } },
    xaxis: { ...axis, title: { text: "labels trained on" }, rangemode: "tozero" },
    yaxis: { ...axis, title: { text: "hold-out accuracy" }, tickformat: ".0%", range: [0, 1.02] },
  };
}

function draw() {
  const measured = points.filter((point) => point.accuracy !== null);
  if (measured.length === 0) return;
  const last = measured[measured.length - 1];
  plot.hidden = false;
  plot.dataset.points = measured.length;
  window.Plotly.react(plot, traces(measured), layout(), { displayModeBar: false, responsive: true });
  words.textContent =
    `Version ${last.number}: ${percent(last.accuracy)} with ${last.labels} labels. The band is the 95% interval ` +
    `of blind hold-out labels (${last.holdout_labels} now).`;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(`${plot.dataset.url}?after=${newest}`, { headers: { Accept: "application/json" } });
    // A session that has ended leads to the sign-in page; the panels beside this one see to that.
    if (!answer.ok || answer.redirected) return;
    const { points: added } = await answer.json();
    if (added.length === 0) return;
    points.push(...added);
    newest = added[added.length - 1].number;
    draw();
  } catch {
    // The server cannot be reached: the page's notice says so, and the plot keeps what it knows.
  }
}

async function follow() {
  await refresh();
  setTimeout(follow, PERIOD);
}

if (plot) {
  dark.addEventListener("change", draw);
  document.addEventListener("visibilitychange", refresh);
  follow();
}
