// The first three as cards.

import { el, say } from "./dom.js";
import { emptySpark, spark } from "./draw.js";
import { movement } from "./grid.js";
import { gap, ms, share, tag } from "./words.js";

const NAMES = ["first", "second", "third"];

export class Podium {
  constructor(place) {
    this.cards = NAMES.map((name, i) => {
      const card = {
        alias: el("span", { class: "card-alias" }), tag: el("span", { class: "tag" }), moved: el("span", { class: "moved" }),
        number: el("span"), spark: emptySpark(), gap: el("div"), health: el("div"),
      };
      card.root = el("li", { class: "card", data: { place: String(i + 1) } },
        el("div", { class: "card-head" }, el("span", { class: "medal", "aria-label": name, role: "img" }, String(i + 1)), card.alias, card.tag, card.moved),
        el("p", { class: "card-score" }, card.number, el("span", { class: "unit" }, "ms")),
        el("div", { class: "card-foot" }, el("div", { class: "card-side" }, card.gap, card.health), card.spark));
      return card;
    });
    place.append(...this.cards.map((c) => c.root));
  }

  show(rows, range) {
    this.cards.forEach((card, i) => {
      const row = rows[i];
      if (row && card.id !== undefined && card.id !== row.id) {
        card.root.classList.remove("is-changed");
        void card.root.offsetWidth;
        card.root.classList.add("is-changed");
      }
      card.id = row?.id;
      card.root.classList.toggle("is-empty", !row);
      say(card.alias, row ? row.alias : "–");
      card.alias.title = row ? row.alias : "";
      say(card.tag, row ? tag(row.kind) : "");
      card.tag.hidden = !row || row.kind === "learner";
      movement(card.moved, row?.moved || 0);
      say(card.number, row ? ms(row.score) : "–");
      say(card.gap, !row ? "" : i === 0 ? "leads" : row.gap < 0.5 ? "level" : `${gap(row.gap, row.rank)} behind`);
      const troubled = row && (row.state === "error" || row.state === "stale");
      say(card.health, !row ? "" : troubled ? row.reason : row.availability !== undefined ? `${share(row.availability)} answered` : "");
      card.health.className = troubled ? "error" : "";
      spark(card.spark, row?.spark || [], range);
    });
  }

  hide() {
    for (const card of this.cards) card.root.classList.add("is-secret");
    for (const card of this.cards) card.root.classList.remove("is-winner");
  }

  uncover(i) {
    this.cards[i].root.classList.add("is-shown");
    this.cards[i].root.classList.remove("is-secret");
    if (i === 0) this.cards[0].root.classList.add("is-winner");
  }

  crown(crowned) {
    this.cards[0].root.classList.toggle("is-winner", crowned);
    for (const card of this.cards) card.root.classList.remove("is-secret");
  }
}
