// The projector's page: podium, field, stream, countdown; the lock and the reveal.

import { $, calm, el, say, themed } from "./dom.js";
import { chart, scale, summary } from "./draw.js";
import { Grid } from "./grid.js";
import { Link } from "./link.js";
import { Podium } from "./podium.js";
import { clock, phase } from "./words.js";

const podium = new Podium($("podium"));
const grid = new Grid($("grid"));
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const replayed = new URLSearchParams(location.search).get("replay");
let before = null; // the state shown last
let playing = false; // a reveal or a replay owns the board
let latest = null;

themed($("theme"));
$("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));
$("again").addEventListener("click", () => reveal(latest));
addEventListener("resize", () => before && board(before));

function board(state) {
  const open = state.phase === "open" || state.phase === "warm-up";
  const ranked = open ? [] : state.rows.filter((r) => r.rank);
  const first = ranked.slice(0, 3);
  const rest = state.rows.filter((r) => !first.includes(r));
  const range = scale(state.rows.filter((r) => r.rank));
  $("podium").hidden = open;
  $("invitation").hidden = !open;
  if (!open) podium.show(first, range);
  grid.show(rest, state.rows.map((r) => r.id), range, open, state.phase === "revealed");
  document.querySelector(".stage").classList.toggle("is-open", open);
  $("empty").hidden = state.rows.length > 0;
  chart($("chart"), state);
  say($("stream-text"), summary(state) || "begins with the round");
  before = state;
}

function frame(state) {
  const [key, chip, label] = phase(state);
  $("phase").dataset.phase = key;
  say($("phase"), chip);
  say($("clock-label"), label);
  const learners = state.rows.filter((r) => r.kind === "learner").length;
  say($("subtitle"), `${learners ? `${learners} ${learners === 1 ? "model" : "models"}, one stream: who` : "Who"} predicts best how long an interaction takes?`);
  say($("invitation-head"), state.phase === "warm-up" ? "Warming up" : "Open for entries");
  say($("invitation-count"), learners ? `${learners} in. Late entry is fine.` : "Late entry is fine, too.");
  say($("rule"), `Error: RMSE in ms over the last ${state.window} interactions; lower is better. No answer costs the FC average's error plus ${state.penalty} ms.`);
  const locked = state.hide && state.phase !== "open" ? state.hide / state.seconds : 0;
  $("bar-lock").hidden = !locked;
  $("bar-lock").style.width = `${locked * 100}%`;
}

function banner(text, kind = "") {
  const place = $("banner");
  if (!text) { place.hidden = true; return; }
  if (place.hidden || place.textContent !== text) {
    place.classList.remove("is-new");
    void place.offsetWidth;
    place.classList.add("is-new");
  }
  place.dataset.kind = kind;
  place.hidden = false;
  say(place, text);
}

function announce(state) {
  if (state.paused && !state.finished) return banner("Paused. The round goes on where it stands.", "warn");
  if (state.phase === "locked") {
    return banner(state.finished ? "The round is over. Who won?" : "Results are locked. What happens now stays hidden until the reveal.");
  }
  if (state.phase === "revealed") return banner(winner(state));
  return banner("");
}

function winner(state) {
  const best = state.rows.find((r) => r.rank && r.kind === "learner");
  if (!best) return "The round is over.";
  return best.rank === 1 ? `${best.alias} wins` : `${best.alias} is the best of the room, rank ${best.rank}`;
}

function onState(state) {
  const unveiled = state.phase === "revealed" && latest?.phase === "locked" && latest.round === state.round;
  latest = state;
  frame(state);
  $("again").hidden = state.phase !== "revealed" || replayed;
  if (playing) return;
  if (unveiled) { reveal(state); return; }
  podium.crown(state.phase === "revealed");
  board(state);
  announce(state);
}

// Rows as they stood at one moment of a log's frames.
function at(moment, names, state) {
  const rows = Object.entries(moment.places).filter(([id]) => names[id]).map(([id, [rank, score]]) => ({
    id: Number(id), alias: names[id][0], kind: names[id][1], rank, score, gap: null, state: "live", reason: "", moved: null,
    spark: state.rows.find((r) => r.id === Number(id))?.spark || [],
  }));
  rows.sort((a, b) => (a.rank || 1e9) - (b.rank || 1e9) || a.id - b.id);
  const best = rows[0]?.score;
  for (const row of rows) row.gap = row.rank ? row.score - best : null;
  return { ...state, phase: "live", rows, chart: state.chart.filter((p) => p[0] <= moment.clock) };
}

async function log(round, query = "") {
  const answer = await fetch(`api/rounds/${round}/frames${query}`);
  if (!answer.ok) throw new Error((await answer.json()).message);
  return answer.json();
}

// What was hidden, then third, second, first.
async function reveal(state) {
  playing = true;
  try {
    const { frames, names } = await log(state.round, "?hidden=1");
    podium.crown(false);
    banner("This is what happened after the lock");
    for (const moment of calm() ? frames.slice(-1) : frames) {
      board(at(moment, names, state));
      await sleep(calm() ? 0 : 420);
    }
    podium.hide();
    banner("And the winner is …");
    board({ ...state });
    for (const place of [2, 1, 0]) {
      await sleep(calm() ? 0 : 1300);
      podium.uncover(place);
    }
    if (!calm()) confetti();
  } catch (error) {
    console.warn(error);
  }
  playing = false;
  onState(latest);
}

function confetti() {
  const colours = ["--gold", "--accent", "--good", "--bad", "--bronze"];
  const pieces = Array.from({ length: 90 }, (_, i) => {
    const piece = el("i");
    const s = piece.style;
    s.left = `${Math.random() * 100}%`;
    s.background = `var(${colours[i % colours.length]})`;
    s.animationDuration = `${2.4 + Math.random() * 2.4}s`;
    s.animationDelay = `${Math.random() * 0.8}s`;
    s.setProperty("--drift", `${(Math.random() - 0.5) * 16}rem`);
    s.setProperty("--turn", `${Math.random() * 900}deg`);
    return piece;
  });
  $("confetti").replaceChildren(...pieces);
  setTimeout(() => $("confetti").replaceChildren(), 6500);
}

// ?replay=3: the whole of round 3, a minute long.
async function replay(round) {
  const state = await (await fetch("api/state")).json();
  const { frames, names, seconds } = await log(round);
  playing = true;
  const base = { ...state, rows: [], chart: [], marks: [], seconds, finished: false, paused: false };
  const sparks = {};
  for (const moment of frames) {
    const shown = at(moment, names, base);
    for (const row of shown.rows) {
      sparks[row.id] ||= [];
      if (row.rank) sparks[row.id].push(row.score);
      row.spark = sparks[row.id];
    }
    frame({ ...shown, clock: moment.clock });
    say($("phase"), `replay of round ${round}`);
    say($("clock"), clock(seconds - moment.clock));
    board(shown);
    await sleep(60000 / frames.length);
  }
}

function tick() {
  if (link?.state && !replayed) {
    const s = link.state;
    say($("clock"), clock(link.left()));
    const done = s.phase === "open" || s.phase === "warm-up" ? 0 : 1 - link.left() / s.seconds;
    $("bar").style.transform = `scaleX(${Math.min(1, done)})`;
  }
}

function phones() {
  const here = new URL(".", location.href).href;
  fetch("api/address").then((a) => a.json()).then(({ public_url: open }) => {
    const local = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
    if (open || !(local || location.pathname.includes("/proxy/"))) say($("how"), `arena.join(ws, url, arena="${open || here}")`);
    if (!open && local && !location.pathname.includes("/proxy/")) return; // no phone can come here
    $("qr-image").src = `qr.svg?base=${encodeURIComponent(open || here)}`;
    $("qr-image").alt = `QR code of the phone view, ${open || here}phone`;
    $("qr").hidden = false;
  }).catch(() => {});
}

let link = null;
if (replayed) {
  replay(replayed).catch((error) => banner(error.message, "warn"));
} else {
  link = new Link("board", onState, (silent) => {
    $("phase").dataset.phase = silent ? "offline" : "";
    if (silent) { say($("phase"), "reconnecting"); banner("The arena is out of reach. The page catches up when it is back.", "warn"); }
  });
  setInterval(tick, 200);
}
phones();
