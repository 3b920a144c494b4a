// The plot of accuracy against the number of labels, and how it is expected to go on. It asks every two seconds
// for the versions that are new to it and redraws only when something changed, in place, so nothing flickers.

import { band, colour, dark, draw, faded, interval, percent } from "./plot.js";

const plot = document.querySelector("#accuracy-curve");
const words = document.querySelector("#accuracy-curve-words");
const figures = document.querySelector("#accuracy-curve-figures");
const question = document.querySelector("#accuracy-curve-question"); // where there are several
const PERIOD = 2000;
const ROWS = 40;
const points = [];
let newest = 0;
let ahead = { target: null, forecast: [] };

function traces(measured) {
  const x = measured.map((point) => point.labels);
  const accent = colour("--accent");
  const { target, forecast } = ahead;
  const later = forecast.map((point) => point.labels);
  const end = Math.max(...x, ...later);
  const expected = { type: "scatter", mode: "lines", showlegend: false };
  return [
    ...band(x, measured.map((point) => point.low), measured.map((point) => point.high), faded("--accent", 0.18)),
    {
      x,
      y: measured.map((point) => point.accuracy),
      type: "scatter",
      mode: measured.length > 60 ? "lines" : "lines+markers",
      line: { color: accent, width: 2 },
      marker: { color: accent, size: 5 },
      text: measured.map(
        (point) =>
          `version ${point.number}: ${percent(point.accuracy)} (${interval(point)})` +
          `<br>${point.labels} labels, measured on ${point.measured_on}`,
      ),
      hovertemplate: "%{text}<extra></extra>",
      showlegend: false,
    },
    ...band(later, forecast.map((point) => point.low), forecast.map((point) => point.high), faded("--holdout", 0.16)),
    {
      ...expected,
      x: later,
      y: forecast.map((point) => point.mean),
      line: { color: colour("--holdout"), width: 2, dash: "dash" },
      text: forecast.map((point) => `expected with ${point.labels} labels: ${percent(point.mean)} (${interval(point)})`),
      hovertemplate: "%{text}<extra></extra>",
    },
    {
      ...expected,
      x: target === null ? [] : [0, end],
      y: target === null ? [] : [target, target],
      line: { color: colour("--good"), width: 1.5, dash: "dot" },
      hoverinfo: "skip",
    },
  ];
}

function layout(measured) {
  const { target } = ahead;
  // From the lowest measurement down to the next ten percent: near the top is where it matters.
  const lowest = Math.min(...measured.map((point) => point.accuracy), target ?? 1);
  return {
    xaxis: { title: { text: "labels trained on" }, rangemode: "tozero" },
    yaxis: { title: { text: "accuracy" }, tickformat: ".0%", range: [Math.max(0, Math.floor(lowest * 10 - 0.5) / 10), 1.01] },
    annotations:
      target === null
        ? []
        : [{ x: 0, y: target, xanchor: "left", yanchor: "bottom", showarrow: false, text: `to reach: ${percent(target)}`, font: { color: colour("--good") } }],
  };
}

function describe(measured) {
  const last = measured[measured.length - 1];
  const end = ahead.forecast[ahead.forecast.length - 1];
  words.textContent =
    `Version ${last.number}: ${percent(last.accuracy)} with ${last.labels} labels. The band is Wilson's 95% interval of ` +
    `each measurement (${last.measured_on} now).` +
    (end ? ` Dashed: what is expected, ${percent(end.mean)} (${interval(end)}) with ${end.labels} labels.` : "") +
    (ahead.target === null ? "" : ` To reach: ${percent(ahead.target)}.`);
}

function tabulate(measured) {
  const step = Math.ceil(measured.length / ROWS);
  const kept = measured.filter((_, at) => (measured.length - 1 - at) % step === 0);
  const rows = [
    ...kept.map((point) => [point.labels, `${percent(point.accuracy)} (${interval(point)})`, `version ${point.number}, ${point.measured_on}`]),
    ...ahead.forecast.slice(1).map((point) => [point.labels, `${percent(point.mean)} (${interval(point)})`, "expected"]),
  ];
  figures.hidden = false;
  figures.querySelector("tbody").replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement("tr");
      cells.forEach((text, at) => {
        const cell = row.insertCell();
        cell.textContent = text;
        if (at < 2) cell.className = "number";
      });
      return row;
    }),
  );
}

function show() {
  const measured = points.filter((point) => point.accuracy !== null);
  if (measured.length === 0) return;
  plot.dataset.points = measured.length;
  draw(plot, traces(measured), layout(measured));
  describe(measured);
  tabulate(measured);
}

async function refresh() {
  if (document.hidden) return;
  try {
    const asked = question?.value ?? "";
    const address = `${plot.dataset.url}?after=${newest}&question=${encodeURIComponent(asked)}`;
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    // A session that has ended leads to the sign-in page; the panels beside this one see to that.
    if (!answer.ok || answer.redirected) return;
    const { points: added, ...rest } = await answer.json();
    // Another question was chosen, or another answer came first, while this one was under way.
    if (asked !== (question?.value ?? "") || added.some((point) => point.number <= newest)) return;
    if (added.length === 0 && JSON.stringify(rest) === JSON.stringify(ahead)) return;
    points.push(...added);
    newest = points.length ? points[points.length - 1].number : 0;
    ahead = rest;
    show();
  } catch {
    // The server cannot be reached: the page's notice says so, and the plot keeps what it knows.
  }
}

function start() {
  points.length = 0;
  newest = 0;
  ahead = { target: null, forecast: [] };
  plot.hidden = figures.hidden = true;
  words.textContent = "The first point appears when a model has been measured.";
  refresh();
}

async function follow() {
  await refresh();
  setTimeout(follow, PERIOD);
}

if (plot) {
  dark.addEventListener("change", show);
  document.addEventListener("visibilitychange", refresh);
  question?.addEventListener("change", start);
  follow();
}
