// The reliability plot of a version: how often its answers were right, against how sure it said it was.

import { colour, dark, draw, faded, interval, percent } from "./plot.js";

const plot = document.querySelector("#reliability");
const bins = JSON.parse(document.querySelector("#reliability-bins")?.textContent ?? "[]");

function show() {
  const x = bins.map((bin) => bin.confidence);
  const most = Math.max(...bins.map((bin) => bin.n));
  draw(
    plot,
    [
      {
        x,
        y: bins.map((bin) => bin.n),
        width: bins.map(() => 0.05),
        type: "bar",
        yaxis: "y2",
        marker: { color: faded("--holdout", 0.35) },
        hoverinfo: "skip",
      },
      { x: [0, 1], y: [0, 1], type: "scatter", mode: "lines", hoverinfo: "skip", line: { color: colour("--line-strong"), dash: "dash", width: 1.5 } },
      {
        x,
        y: bins.map((bin) => bin.accuracy),
        type: "scatter",
        mode: "lines+markers",
        line: { color: colour("--accent"), width: 2 },
        marker: { color: colour("--accent"), size: 6 },
        error_y: {
          type: "data",
          symmetric: false,
          array: bins.map((bin) => bin.high - bin.accuracy),
          arrayminus: bins.map((bin) => bin.accuracy - bin.low),
          color: colour("--accent"),
          thickness: 1,
          width: 3,
        },
        text: bins.map((bin) => `${percent(bin.confidence)} sure: ${percent(bin.accuracy)} right (${interval(bin)})<br>${bin.n} labels`),
        hovertemplate: "%{text}<extra></extra>",
      },
    ],
    {
      showlegend: false,
      margin: { l: 52, r: 44, t: 10, b: 44 },
      xaxis: { title: { text: "stated confidence" }, tickformat: ".0%", range: [-0.02, 1.04] },
      yaxis: { title: { text: "was right" }, tickformat: ".0%", range: [0, 1.04] },
      yaxis2: { title: { text: "labels" }, overlaying: "y", side: "right", range: [0, most * 2], tickvals: [0, most], showgrid: false, zeroline: false, fixedrange: true },
    },
  );
}

if (plot && bins.length) {
  dark.addEventListener("change", show);
  show();
}
