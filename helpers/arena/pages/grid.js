// The field: a row per entry, moved by transforms when ranks change.

import { calm, el, say } from "./dom.js";
import { emptySpark, spark } from "./draw.js";
import { gap, ms, tag } from "./words.js";

const NEW_MS = 8000;
const DENSITIES = [ // most rows, columns, rows, font in rem, name
  [10, 2, 5, 2.1, "wide"], [24, 2, 12, 1.75, "wide"], [36, 3, 12, 1.5, "wide"], [60, 4, 15, 1.26, "wide"],
  [90, 5, 18, 1.2, "close"], [126, 6, 21, 1.08, "tight"], [203, 7, 29, 0.95, "tight"], [264, 8, 33, 0.84, "tight"],
];

export class Grid {
  constructor(place) {
    this.place = place;
    this.rows = new Map();
    this.known = new Set(); // of everybody, those on the podium too: who falls off it is not new
  }

  // `everybody`: the ids of all entries, on the podium or here.
  show(rows, everybody, range, open, final = false) {
    const first = this.known.size === 0;
    this.place.toggleAttribute("data-final", final);
    const [, columns, most, font, name] = DENSITIES.find(([count]) => rows.length <= count) || DENSITIES.at(-1);
    const lines = Math.ceil(rows.length / columns); // columns equally long
    this.place.dataset.density = name;
    this.place.dataset.columns = columns;
    this.place.style.setProperty("--row-font", `${font}rem`);
    const gutter = 20;
    const width = (this.place.clientWidth - gutter * (columns - 1)) / columns;
    const height = Math.min(this.place.clientHeight / most, font * 2.6 * parseFloat(getComputedStyle(document.documentElement).fontSize));
    const seen = new Set();
    rows.forEach((row, i) => {
      seen.add(row.id);
      let kept = this.rows.get(row.id);
      if (!kept) {
        kept = makeRow();
        this.rows.set(row.id, kept);
        if (!first && !this.known.has(row.id)) {
          kept.root.classList.add("is-new");
          setTimeout(() => kept.root.classList.remove("is-new"), NEW_MS);
        }
        this.place.append(kept.root);
      }
      const style = kept.root.style;
      style.width = `${width}px`;
      style.height = `${height}px`;
      style.transform = `translate(${Math.floor(i / lines) * (width + gutter)}px, ${(i % lines) * height}px)`;
      if (kept.order !== undefined && row.rank && kept.rank && kept.rank - row.rank >= 3 && !calm()) {
        kept.root.classList.remove("is-up");
        void kept.root.offsetWidth;
        kept.root.classList.add("is-up");
      }
      kept.order = i;
      kept.rank = row.rank;
      fill(kept, row, range, open);
    });
    for (const [id, kept] of this.rows) {
      if (!seen.has(id)) { kept.root.remove(); this.rows.delete(id); }
    }
    // in the document in board order, for screen readers
    const order = rows.map((r) => this.rows.get(r.id).root);
    if (order.some((root, i) => this.place.children[i] !== root)) {
      order.forEach((root, i) => { if (this.place.children[i] !== root) this.place.insertBefore(root, this.place.children[i] || null); });
    }
    this.known = new Set([...this.known, ...everybody]);
  }
}

function makeRow() {
  const kept = {
    rank: undefined, sign: el("span", { class: "sign" }), place: el("span", { class: "rank" }), alias: el("span", { class: "alias" }),
    tag: el("span", { class: "tag" }), reason: el("span", { class: "reason" }), spark: emptySpark(),
    score: el("span", { class: "score" }), gap: el("span", { class: "gap" }), moved: el("span", { class: "moved" }),
    state: el("span", { class: "hidden" }),
  };
  kept.root = el("li", { class: "row" }, kept.place, kept.sign, kept.alias, kept.tag, kept.moved, kept.reason, kept.spark, kept.score, kept.gap, kept.state);
  return kept;
}

export function movement(element, moved) {
  element.hidden = !moved;
  element.className = `moved ${moved > 0 ? "moved-up" : "moved-down"}`;
  say(element, moved ? `${moved > 0 ? "▲" : "▼"}${Math.abs(moved)}` : "");
}

function fill(kept, row, range, open) {
  kept.sign.className = `sign sign-${row.state}`;
  kept.sign.title = row.state;
  say(kept.state, `${row.state} ${row.reason}`);
  say(kept.place, open ? "" : row.rank ? String(row.rank) : "–");
  say(kept.alias, row.alias);
  kept.alias.title = row.alias;
  say(kept.tag, tag(row.kind));
  kept.tag.hidden = row.kind === "learner";
  movement(kept.moved, row.moved);
  const troubled = row.state === "error" || (row.state === "waiting" && !open && row.reason);
  kept.reason.hidden = !troubled;
  kept.reason.classList.toggle("soft", row.state === "waiting");
  say(kept.reason, troubled ? row.reason : "");
  kept.root.dataset.kind = row.kind;
  kept.root.classList.toggle("is-troubled", row.state === "error");
  kept.spark.style.display = troubled || open ? "none" : "";
  kept.score.hidden = kept.gap.hidden = open;
  say(kept.score, ms(row.rank ? row.score : null));
  say(kept.gap, gap(row.gap, row.rank));
  if (row.spark) spark(kept.spark, row.spark, range);
}
