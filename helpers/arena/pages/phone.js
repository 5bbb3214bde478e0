// The phone's page: my place, the board, and a way in.

import { $, el, say, themed } from "./dom.js";
import { movement } from "./grid.js";
import { Link } from "./link.js";
import { clock, gap, ms, phase, share, tag } from "./words.js";

const rows = new Map();
let mine = localStorage.getItem("arena-mine") || "";
let roster = null; // of which the aliases to choose from are

const view = () => `phone&mine=${encodeURIComponent(mine)}`;

themed($("theme"));
$("who").addEventListener("change", () => {
  iAm($("who").value);
  if (link.state) show(link.state);
});

function iAm(alias) {
  mine = alias;
  localStorage.setItem("arena-mine", mine);
  link.turn(view());
}

function show(state) {
  const [key, chip] = phase(state);
  $("phase").dataset.phase = key;
  say($("phase"), chip);
  const notes = { locked: state.finished ? "The round is over. The reveal comes on the big screen." : "Results are locked until the reveal." };
  const note = state.paused && !state.finished ? "The round is paused." : notes[state.phase] || "";
  $("note").hidden = !note;
  say($("note"), note);
  say($("rule"), `RMSE in ms over the last ${state.window} interactions; lower is better.`);
  if (state.roster !== roster) choose(state.roster);
  card(state);
  list(state);
  $("empty").hidden = state.rows.length > 0;
}

async function choose(of) {
  roster = of;
  let names;
  try {
    names = await (await fetch("api/aliases", { cache: "no-store" })).json();
  } catch {
    roster = null; // asked again with the next state
    return;
  }
  names.sort((a, b) => a.localeCompare(b));
  $("who").replaceChildren(el("option", { value: "" }, "choose your alias"), ...names.map((n) => el("option", { value: n }, n)));
  $("who").value = names.includes(mine) ? mine : "";
}

function card(state) {
  const row = [...state.rows, state.mine].find((r) => r?.alias === mine);
  $("card").hidden = !row;
  if (!row) return;
  say($("place"), row.rank ? `${row.rank}.` : "–");
  say($("score"), ms(row.rank ? row.score : null));
  say($("gap"), !row.rank ? "not ranked yet" : row.rank === 1 ? "You lead." : row.gap < 0.5 ? "level with the leader" : `${gap(row.gap, row.rank)} ms to the leader`);
  const health = row.availability === null ? "" : `, ${share(row.availability)} answered in time, p95 ${ms(row.p95)} ms`;
  $("health").replaceChildren(el("span", { class: `sign sign-${row.state}` }), `${row.state}${row.reason ? `: ${row.reason}` : ""}${health}`);
}

function list(state) {
  const open = state.phase === "open";
  const place = $("list");
  const seen = new Set();
  const shown = state.mine ? [...state.rows, state.mine] : state.rows;
  const more = state.entries - shown.length;
  $("more").hidden = more <= 0;
  say($("more"), `and ${more} more, on the big screen`);
  shown.forEach((row, i) => {
    seen.add(row.id);
    let kept = rows.get(row.id);
    if (!kept) {
      kept = { rank: el("span", { class: "rank" }), sign: el("span"), alias: el("span", { class: "alias" }), tag: el("span", { class: "tag" }), moved: el("span"), reason: el("span", { class: "reason" }), score: el("span", { class: "score" }), gap: el("span", { class: "gap" }) };
      kept.root = el("li", {}, kept.rank, kept.sign, kept.alias, kept.tag, kept.moved, kept.reason, kept.score, kept.gap);
      rows.set(row.id, kept);
    }
    kept.root.className = row.alias === mine ? "is-mine" : "";
    kept.rank.dataset.place = row.rank || "";
    say(kept.rank, open ? "" : row.rank ? String(row.rank) : "–");
    kept.sign.className = `sign sign-${row.state}`;
    kept.sign.title = row.state;
    say(kept.alias, row.alias);
    kept.tag.hidden = row.kind === "learner";
    say(kept.tag, tag(row.kind));
    movement(kept.moved, row.moved);
    say(kept.reason, row.state === "error" ? row.reason : "");
    say(kept.score, open ? "" : ms(row.rank ? row.score : null));
    say(kept.gap, open ? "" : gap(row.gap, row.rank));
    if (place.children[i] !== kept.root) place.insertBefore(kept.root, place.children[i] || null);
  });
  for (const [id, kept] of rows) if (!seen.has(id)) { kept.root.remove(); rows.delete(id); }
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("submit").disabled = true;
  $("answer").dataset.kind = "";
  say($("answer"), "Asking your API …");
  try {
    const body = { url: $("url").value };
    if ($("alias").value.trim()) body.alias = $("alias").value;
    const answer = await fetch("api/entries", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const made = await answer.json();
    if (!answer.ok) throw new Error(made.message);
    localStorage.setItem(`arena-token-${made.id}`, made.token);
    roster = null;
    iAm(made.alias);
    say($("answer"), `You are in, as ${made.alias}.`);
    $("form").reset();
  } catch (error) {
    $("answer").dataset.kind = "bad";
    say($("answer"), error.message);
  } finally {
    $("submit").disabled = false;
  }
});

const link = new Link(view(), show, (silent) => {
  if (silent) { $("phase").dataset.phase = "offline"; say($("phase"), "reconnecting"); }
});
setInterval(() => link.state && say($("clock"), clock(link.left())), 250);
