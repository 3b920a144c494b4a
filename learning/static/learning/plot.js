// What the plots share: the page's colours, in light and dark, and how figures are written.

export const dark = matchMedia("(prefers-color-scheme: dark)");
export const percent = (share) => `${(share * 100).toFixed(1)}%`;
export const interval = (point) => `${(point.low * 100).toFixed(1)}–${(point.high * 100).toFixed(1)}`;
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function faded(name, share) {
  // Plotly reads hexadecimal colours with an alpha in rgba() only.
  const hex = colour(name).replace("#", "");
  const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${share})`;
}

// The area between two lines over the same x.
export function band(x, low, high, fillcolor) {
  const edge = { x, type: "scatter", mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false };
  return [
    { ...edge, y: high },
    { ...edge, y: low, fill: "tonexty", fillcolor },
  ];
}

const HEIGHT = 280; // pixels

export function draw(plot, traces, { xaxis, yaxis, ...more }) {
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line-strong"), zeroline: false, fixedrange: true };
  const layout = {
    height: HEIGHT,
    margin: { l: 52, r: 12, t: 10, b: 44 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--muted"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--line-strong"), font: { color: colour("--ink") } },
    xaxis: { ...axis, ...xaxis },
    yaxis: { ...axis, ...yaxis },
    ...more,
  };
  plot.hidden = false;
  // Redrawn for another width, a plot is as high as the place it has: without this, none.
  plot.style.height = `${HEIGHT}px`;
  window.Plotly.react(plot, traces, layout, { displayModeBar: false, responsive: true });
}
