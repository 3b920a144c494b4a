// A rollout's figures over time. It asks for the points that are new to it and redraws only when one came.

import { band, colour, dark, draw, faded, percent } from "../learning/plot.js";

const plot = document.querySelector("#evidence");
const words = document.querySelector("#evidence-words");
const choice = document.querySelector("#evidence-choice");
const select = document.querySelector("#evidence-figure");
const PERIOD = 1000;
const COLOURS = { champion: "--holdout", challenger: "--accent" };
const FORMATS = {
  share: percent,
  log10: (value) => `${(10 ** value).toPrecision(3)} to 1`,
  ms: (value) => `${value.toFixed(1)} ms`,
};
const points = [];
let newest = 0;

const format = (unit) => FORMATS[unit] ?? ((value) => Number(value.toPrecision(4)).toString());

// A difference of arms has another scale than the arms.
const apart = (figure) => (figure.arm === "difference" ? `${figure.name} difference` : figure.name);

// Every line of the chosen figure: one an arm, or one of the whole.
function lines(name) {
  const found = new Map();
  for (const point of points) {
    for (const figure of point.figures) {
      if (apart(figure) !== name || figure.value === null) continue;
      if (!found.has(figure.arm)) found.set(figure.arm, []);
      found.get(figure.arm).push({ ...figure, at: point.at });
    }
  }
  return found;
}

function offer() {
  const seen = new Map();
  for (const figure of points.at(-1).figures) seen.set(apart(figure), figure.arm === "difference" ? `${figure.title}: difference` : figure.title);
  const chosen = select.value;
  if (select.options.length === seen.size) return;
  select.replaceChildren(...[...seen].map(([name, title]) => new Option(title, name, false, name === chosen)));
  choice.hidden = false;
}

function traces(found) {
  return [...found].flatMap(([arm, of]) => {
    const name = COLOURS[arm] ?? "--good";
    const x = of.map((one) => one.at);
    const write = format(of[0].unit);
    const bounded = of.filter((one) => one.low !== null && one.high !== null);
    const limited = of.filter((one) => one.limit !== null);
    return [
      ...band(bounded.map((one) => one.at), bounded.map((one) => one.low), bounded.map((one) => one.high), faded(name, 0.14)),
      {
        x,
        y: of.map((one) => one.value),
        name: arm || "the whole",
        type: "scatter",
        mode: of.length > 60 ? "lines" : "lines+markers",
        line: { color: colour(name), width: 2 },
        marker: { color: colour(name), size: 5 },
        text: of.map((one) => `${arm || one.title}: ${write(one.value)}, of ${Math.round(one.n).toLocaleString("en")}`),
        hovertemplate: "%{text}<extra></extra>",
      },
      {
        x: limited.map((one) => one.at),
        y: limited.map((one) => one.limit),
        name: "decides",
        showlegend: limited.length > 0,
        type: "scatter",
        mode: "lines",
        line: { color: colour("--bad"), width: 1.5, dash: "dot" },
        hoverinfo: "skip",
      },
    ];
  });
}

function show() {
  if (points.length === 0) return;
  offer();
  const found = lines(select.value);
  if (found.size === 0) {
    plot.hidden = true;
    words.textContent = "Nothing has measured this figure yet.";
    return;
  }
  plot.dataset.points = points.length;
  const [[, of]] = found;
  const write = format(of[0].unit);
  draw(plot, traces(found), {
    showlegend: found.size > 1,
    legend: { orientation: "h", y: 1.12, x: 0 },
    xaxis: { type: "date" },
    yaxis: { tickformat: of[0].unit === "share" ? ".0%" : "", title: { text: of[0].unit === "log10" ? "powers of ten" : of[0].title } },
  });
  const last = [...found].map(([arm, line]) => `${arm || "the whole"} ${write(line.at(-1).value)}`);
  words.textContent = `${of[0].title}: ${last.join(", ")}. Bands are the intervals that the table gives.`;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(`${plot.dataset.url}?after=${newest}`, { headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) return;
    const added = (await answer.json()).points.filter((point) => point.id > newest);
    if (added.length === 0) return;
    points.push(...added);
    newest = points.at(-1).id;
    show();
  } catch {
    // The server cannot be reached: the page's notice says so, and the plot keeps what it knows.
  }
}

async function follow() {
  await refresh();
  if (plot.dataset.live) setTimeout(follow, PERIOD);
}

dark.addEventListener("change", show);
document.addEventListener("visibilitychange", refresh);
select.addEventListener("change", show);
follow();
