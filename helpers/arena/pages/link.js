// The link to the arena: a stream of states, polling where no stream comes through, and a clock in between.

const SILENCE_MS = 20000;
const FIRST_MS = 5000;
const POLL_MS = 2000;

export class Link {
  // `onState(state)` with each new state; `onSilence(true|false)` when the arena is out of reach or back.
  constructor(view, onState, onSilence) {
    Object.assign(this, { view, onState, onSilence, state: null, silent: false, heard: 0, streamed: 0, mute: false });
    this.open();
    setInterval(() => this.watch(), 1000);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && performance.now() - this.heard > 3000) this.open();
    });
    addEventListener("online", () => this.open());
  }

  open() {
    this.source?.close();
    this.opened = performance.now();
    this.source = new EventSource(`events?view=${this.view}`);
    this.source.addEventListener("state", (event) => {
      this.streamed = performance.now();
      this.mute = false;
      this.take(JSON.parse(event.data));
    });
    this.source.addEventListener("error", () => { this.mute = true; }); // asks at once whether anybody is there
  }

  // Another view of the same: the stream is opened anew.
  turn(view) {
    this.view = view;
    this.open();
  }

  take(state) {
    this.heard = performance.now();
    if (this.silent) { this.silent = false; this.onSilence(false); }
    this.state = state;
    this.onState(state);
  }

  watch() {
    const now = performance.now();
    if (now - Math.max(this.streamed, this.opened) > (this.streamed ? SILENCE_MS : FIRST_MS)) this.mute = true;
    if (!this.mute) return;
    if (!this.polling && now - (this.polled || 0) > POLL_MS) this.poll();
    if (now - this.opened > SILENCE_MS) this.open();
  }

  async poll() {
    this.polling = true;
    this.polled = performance.now();
    try {
      const answer = await fetch(`api/state?view=${this.view}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      this.take(await answer.json());
    } catch {
      if (!this.silent) { this.silent = true; this.onSilence(true); }
    } finally {
      this.polling = false;
    }
  }

  // Seconds left of what is running now.
  left() {
    const s = this.state;
    if (!s) return 0;
    const since = (performance.now() - this.heard) / 1000;
    if (s.phase === "warm-up") return Math.max(0, s.warm_up - (s.paused ? 0 : since));
    return Math.max(0, s.seconds - s.clock - (s.running ? Math.min(since, 30) : 0));
  }
}
