// The instructor's page: the round's controls, its settings, its entries, its log.

import { $, el, say, themed } from "./dom.js";
import { Link } from "./link.js";
import { clock, ms, phase, share, tag } from "./words.js";

let token = location.hash.slice(1) || sessionStorage.getItem("arena-instructor") || "";
let overview = null;
let settingsOf = null;

themed($("theme"));
if (location.hash) history.replaceState(null, "", location.pathname + location.search); // keep the token out of sight

async function call(method, path, body) {
  const answer = await fetch(path, {
    method, headers: { "X-Arena-Token": token, ...(body ? { "Content-Type": "application/json" } : {}) }, body: body ? JSON.stringify(body) : undefined,
  });
  const kind = answer.headers.get("content-type") || "";
  const value = kind.startsWith("application/json") ? await answer.json() : await answer.text();
  if (!answer.ok) throw Object.assign(new Error(value.message || String(answer.status)), { status: answer.status });
  return value;
}

async function attempt(work, done) {
  try {
    await work();
    if (done) tell(done);
  } catch (error) {
    tell(error.message, "bad");
  }
  await refresh();
}

function tell(text, kind = "") {
  $("message").dataset.kind = kind;
  say($("message"), text);
}

async function ask(question, reply) {
  const { where } = document.activeElement.dataset;
  say($("question"), question);
  $("reply").hidden = reply === undefined;
  $("reply").value = reply || "";
  $("dialog").returnValue = "";
  $("dialog").showModal();
  await new Promise((done) => $("dialog").addEventListener("close", done, { once: true }));
  if (where) $("entries").querySelector(`[data-where="${CSS.escape(where)}"]`)?.focus(); // the button of before may be gone
  return $("dialog").returnValue === "yes" ? (reply === undefined ? true : $("reply").value) : null;
}

const act = (action, body = {}) => call("POST", `api/instructor/round/${action}`, body);

// The action that comes next in each phase, and when the others fit.
const ACTIONS = [
  ["start", "Start the round", (s) => s.phase === "open"],
  ["pause", "Pause", (s) => ["warm-up", "live", "locked"].includes(s.phase) && !s.paused && !s.finished],
  ["resume", "Go on", (s) => s.paused && !s.finished],
  ["lock", "Lock results", (s) => s.phase === "live"],
  ["conditions", "Change conditions", (s) => ["live", "locked"].includes(s.phase) && !s.finished],
  ["end", "End now", (s) => ["live", "locked"].includes(s.phase) && !s.finished],
  ["reveal", "Reveal", (s) => s.phase === "locked" && s.finished],
  ["new", "New round", () => true],
];
const NEXT = { open: "start", live: "lock", locked: "reveal", revealed: "new" };
const SURE = { end: "End the round now? What has ended by now counts.", new: "Open a new round? The current one stays in the log." };
const TEXT = {
  open: "Open for entries. Start when everybody who wants to is in; late entry is fine.",
  "warm-up": "Everybody's API is being asked, gently; nothing counts yet.",
  live: "Live. Locking freezes the board; the round goes on unseen.",
  locked: "Locked. The rest of the round is played unseen.",
  revealed: "Revealed. Entries stay for the next round.",
};

function buttons(state) {
  if (!$("actions").firstChild) {
    for (const [name, label] of ACTIONS) {
      $("actions").append(el("button", { type: "button", data: { action: name }, onclick: async () => {
        if (SURE[name] && !(name === "new" && overview.state.phase === "revealed") && !(await ask(SURE[name]))) return;
        attempt(() => act(name), `${label}: done.`);
      } }, label));
    }
  }
  ACTIONS.forEach(([name, , fits], i) => {
    const button = $("actions").children[i];
    button.disabled = !fits(state);
    button.classList.toggle("primary", NEXT[state.phase] === name && fits(state));
  });
  say($("next"), state.phase === "locked" && state.finished ? "The round is over. Reveal when the room is ready." : TEXT[state.phase]);
}

const LABELS = {
  seconds: "Length, s", rate: "Interactions a second", warm_up_seconds: "Warm-up, s", window: "Window, interactions", minimum: "Ranked from, interactions",
  penalty_ms: "Penalty, ms", deadline_seconds: "Deadline, s", speed: "Warehouse seconds per second", hide_seconds: "Hidden at the end, s", change_at: "Conditions change at, s",
  scenario: "Scenario", seed: "Seed",
};

function settings(values, state) {
  const key = JSON.stringify(values) + state.phase + state.round;
  if (settingsOf === key || $("settings").contains(document.activeElement)) return;
  settingsOf = key;
  const open = state.phase === "open";
  const fields = Object.entries(LABELS).filter(([name]) => name in values).map(([name, label]) => {
    const input = el("input", { name, type: name === "scenario" ? "text" : "number", step: "any" });
    input.value = values[name];
    input.disabled = !open;
    return el("label", {}, label, input);
  });
  const save = el("button", { type: "submit" }, "Save");
  save.disabled = !open;
  $("settings").replaceChildren(...fields, save);
}

$("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  const changes = {};
  for (const input of $("settings").querySelectorAll("input")) {
    const value = input.type === "number" ? Number(input.value) : input.value.trim();
    if (value !== overview.settings[input.name]) changes[input.name] = value;
  }
  document.activeElement?.blur();
  attempt(() => act("settings", changes), "Saved.");
});

function entries(state, urls) {
  const cell = (text, name = "") => el("td", { class: name }, text);
  const body = $("entries").tBodies[0];
  if (body.contains(document.activeElement)) {
    const where = document.activeElement.dataset.where;
    queueMicrotask(() => body.querySelector(`[data-where="${CSS.escape(where || "")}"]`)?.focus());
  }
  say($("count"), `(${state.rows.filter((r) => r.kind === "learner").length} learners)`);
  body.replaceChildren(...state.rows.map((r) => el("tr", {},
    cell(r.rank ? String(r.rank) : "–", "n"), el("td", { class: "alias", title: r.alias }, r.alias + (tag(r.kind) ? ` (${tag(r.kind)})` : "")),
    el("td", {}, el("span", { class: `sign sign-${r.state}` }), `${r.state}${r.reason ? `: ${r.reason}` : ""}`),
    cell(ms(r.score), "n"), cell(ms(r.whole), "n"), cell(share(r.availability), "n"), cell(ms(r.p50), "n"), cell(ms(r.p95), "n"),
    el("td", { class: "url", title: urls[r.id] || "" }, urls[r.id] || ""),
    el("td", {},
      el("button", { type: "button", data: { where: `rename-${r.id}` }, "aria-label": `Rename ${r.alias}`, onclick: async () => {
        const alias = await ask(`A new alias for ${r.alias}:`, r.alias);
        if (alias) attempt(() => call("PATCH", `api/instructor/entries/${r.id}`, { alias }), "Renamed.");
      } }, "Rename"),
      el("button", { type: "button", data: { where: `remove-${r.id}` }, "aria-label": `Remove ${r.alias}`, onclick: async () => {
        if (await ask(`Remove ${r.alias}?`)) attempt(() => call("DELETE", `api/instructor/entries/${r.id}`), "Removed.");
      } }, "Remove")))));
}

async function download(round) {
  const text = await call("GET", `api/rounds/${round}/export.csv`);
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  el("a", { href: address, download: `arena-round-${round}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function log(state) {
  const rounds = await call("GET", "api/rounds");
  const key = JSON.stringify(rounds);
  if ($("log").dataset.key === key) return;
  $("log").dataset.key = key;
  $("log").replaceChildren(...rounds.flatMap((r) => [
    el("span", {}, `Round ${r.id}: ${r.phase}, ${Math.round(r.seconds)} s`),
    el("button", { type: "button", onclick: () => attempt(() => download(r.id)) }, "CSV"),
    el("a", { href: `./?replay=${r.id}`, target: "_blank", rel: "noopener" }, "Replay"),
  ]));
  for (const id of ["first", "second"]) $(id).replaceChildren(...rounds.map((r) => el("option", { value: String(r.id) }, `round ${r.id}`)));
  $("second").value = String(state.round);
}

$("comparing").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const rows = await call("GET", `api/rounds/${$("first").value}/compare/${$("second").value}`);
    const cell = (text, name = "n") => el("td", { class: name }, text);
    $("compared").tBodies[0].replaceChildren(...rows.map((r) => el("tr", {}, cell(r.alias, ""), cell(r.first_rank ? String(r.first_rank) : "–"), cell(ms(r.first_ms)),
      cell(r.second_rank ? String(r.second_rank) : "–"), cell(ms(r.second_ms)), cell(r.change_ms === null ? "–" : (r.change_ms > 0 ? "+" : "") + ms(r.change_ms)))));
    $("compared").hidden = false;
  });
});

async function refresh() {
  try {
    overview = await call("GET", "api/instructor");
  } catch (error) {
    if (error.status === 403) { $("desk").hidden = true; $("key").hidden = false; }
    tell(error.message, "bad");
    return;
  }
  sessionStorage.setItem("arena-instructor", token);
  if ($("desk").hidden) tell("");
  $("key").hidden = true;
  $("desk").hidden = false;
  const { state } = overview;
  buttons(state);
  settings(overview.settings, state);
  entries(state, overview.urls);
  const jitter = overview.jitter_p99_ms === null ? "" : `Questions leave within ${ms(overview.jitter_p99_ms)} ms of their time (p99). `;
  const times = (n) => (n === 1 ? "once" : `${n} times`);
  const stood = overview.stood_still ? `The arena stood still ${times(overview.stood_still)}. ` : "";
  const trouble = overview.trouble ? `The store cannot be written (${overview.trouble}): free space, then press Go on. ` : "";
  say($("health"), `${trouble}${jitter}${stood}${overview.viewers === 1 ? "One page watches" : `${overview.viewers} pages watch`}. The arena calls: ${overview.allowed}.`);
  await log(state).catch((error) => tell(error.message, "bad")); // it may have gone in between
}

$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  refresh();
});

// The table follows the states at a distance of 1.5 s; the last of several is never left out.
let due = 0;
let later = 0;
function refreshSoon(now) {
  if (later && !now) return;
  clearTimeout(later);
  later = setTimeout(() => { later = 0; due = performance.now() + 1500; refresh(); }, now ? 0 : Math.max(0, due - performance.now()));
}

const link = new Link("phone", (state) => {
  const [key, chip] = phase(state);
  $("phase").dataset.phase = key;
  say($("phase"), chip);
  const moved = overview && (overview.state.phase !== state.phase || overview.state.finished !== state.finished);
  if (token && !$("desk").hidden) refreshSoon(moved);
}, (silent) => {
  if (silent) { $("phase").dataset.phase = "offline"; say($("phase"), "reconnecting"); }
});
setInterval(() => link.state && say($("clock"), clock(link.left())), 250);
if (token) refresh(); else $("key").hidden = false;
