// The plot of a search's rewards with their moving average. It asks every two seconds while the search is under
// way, which the part of the page that htmx renews says, and redraws only when something changed.

import { colour, dark, draw, faded, percent } from "./plot.js";

const plot = document.querySelector("#rewards");
const words = document.querySelector("#rewards-words");
const PERIOD = 2000;
let points = [];

function show() {
  if (points.length === 0) return;
  const x = points.map((point) => point.trial);
  const [floor, ceiling] = range();
  const said = (point) => `trial ${point.trial}: ${point.diverged ? "diverged" : `${percent(point.reward)} right`}`;
  draw(
    plot,
    [
      {
        name: "a trial",
        x,
        // One that diverged lies below the picture: its cross stands on the edge.
        y: points.map((point) => (point.diverged ? floor : point.reward)),
        type: "scatter",
        mode: "markers",
        cliponaxis: false,
        marker: {
          size: 6,
          color: points.map((point) => (point.diverged ? colour("--bad") : faded("--accent", 0.7))),
          symbol: points.map((point) => (point.diverged ? "x" : "circle")),
        },
        text: points.map(said),
        hovertemplate: "%{text}<extra></extra>",
      },
      {
        name: "moving average",
        x,
        y: points.map((point) => point.baseline),
        type: "scatter",
        mode: "lines",
        line: { color: colour("--holdout"), width: 2 },
        hoverinfo: "skip",
      },
    ],
    {
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      margin: { l: 52, r: 12, t: 34, b: 44 },
      // There is no half a trial.
      xaxis: { title: { text: "trial" }, rangemode: "tozero", dtick: points.length < 8 ? 1 : undefined },
      yaxis: { title: { text: "right answers" }, tickformat: ".0%", range: [floor, ceiling] },
    },
  );
  const last = points[points.length - 1];
  const best = Math.max(...points.map((point) => point.reward));
  words.textContent = `${points.length} trials: the moving average stands at ${percent(last.baseline)}, the best trial at ${percent(best)}.`;
}

function range() {
  // One that diverged would press all others against the upper edge.
  const there = points.filter((point) => !point.diverged).map((point) => point.reward);
  const low = Math.min(...there, 1);
  const high = Math.max(...there, 0);
  const room = Math.max(0.01, (high - low) * 0.08);
  return [Math.max(0, low - room), Math.min(1.005, high + room)];
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(plot.dataset.url, { headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) return;
    const got = (await answer.json()).points;
    if (got.length === points.length) return;
    points = got;
    show();
  } catch {
    // The server cannot be reached: the page's notice says so, and the plot keeps what it knows.
  }
}

async function follow() {
  await refresh();
  if (document.querySelector("#policy-search[data-live]")) setTimeout(follow, PERIOD);
}

if (plot) {
  dark.addEventListener("change", show);
  document.addEventListener("visibilitychange", refresh);
  follow();
}
