// Sparklines and the chart of the stream, as SVG made by DOM calls.

import { svg, el } from "./dom.js";

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

// One scale for the whole board, so that lines can be compared; far outliers are cut off.
export function scale(rows) {
  const values = rows.flatMap((r) => r.spark || []).sort((a, b) => a - b);
  if (!values.length) return [0, 1];
  return [values[0], Math.max(values[Math.floor((values.length - 1) * 0.95)], values[0] * 1.05)];
}

export function spark(element, values, [low, high], width = 100, height = 30) {
  const key = `${values.length}:${values.at(-1)}:${low.toFixed(0)}:${high.toFixed(0)}`;
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  if (!element.firstChild) element.append(svg("path"));
  const at = (v) => height - ((Math.min(Math.max(v, low), high) - low) / (high - low)) * height;
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  element.firstChild.setAttribute("d", values.length > 1 ? path(values.map((v, i) => [i * step, at(v)])) : "");
}

export function emptySpark(width = 100, height = 30) {
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
}

// The chart: the leader's error and the FC average's over the round, with a mark where conditions changed.
export function chart(place, state) {
  const points = state.chart;
  const values = points.flatMap((p) => [p[2], p[3]]).filter((v) => v !== null);
  if (points.length < 2 || !values.length) { place.replaceChildren(); return; }
  const low = Math.floor((Math.min(...values) * 0.97) / 500) * 500;
  const high = Math.ceil((Math.max(...values) * 1.02) / 500) * 500;
  const x = (t) => (t / state.seconds) * 1000;
  const y = (v) => 300 - ((v - low) / (high - low)) * 300;
  const line = (index, name) =>
    svg("path", { class: name, d: path(points.filter((p) => p[index] !== null).map((p) => [x(p[0]), y(p[index])])) });
  const picture = svg("svg", { viewBox: "0 0 1000 300", preserveAspectRatio: "none", role: "img", "aria-label": summary(state) });
  const labels = [];
  for (const v of [high, (high + low) / 2, low]) {
    picture.append(svg("path", { class: "gridline", d: `M0 ${y(v)}H1000` }));
    const label = el("span", { class: "tick" }, `${(v / 1000).toFixed(1)} s`);
    label.style.top = `calc(.5rem + (100% - 1.3rem) * ${y(v) / 300})`;
    labels.push(label);
  }
  picture.append(line(2, "baseline"), line(3, "leader"));
  for (const [t, kind, text] of state.marks) {
    if (kind !== "conditions") continue;
    picture.append(svg("path", { class: "mark", d: `M${x(t)} 0V300` }));
    const label = el("span", { class: t > state.seconds / 2 ? "mark-label left" : "mark-label" }, text.replace("Conditions changed: ", ""));
    label.style.left = `calc(3rem + (100% - 3rem) * ${x(t) / 1000})`;
    labels.push(label);
  }
  place.replaceChildren(picture, ...labels);
}

export function summary(state) {
  const last = state.chart.at(-1);
  if (!last) return "";
  const now = last[1] ? `interactions take ${(last[1] / 1000).toFixed(1)} s on average` : "";
  return now;
}
