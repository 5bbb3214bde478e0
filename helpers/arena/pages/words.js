// Numbers and phases as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const ms = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export function gap(value, rank) {
  if (value === null || value === undefined) return "";
  return rank === 1 ? "lead" : value < 0.5 ? "level" : `+${whole.format(value)}`;
}
export const share = (value) => (value === null || value === undefined ? "–" : `${Math.floor(value * 1000) / 10} %`);

export function clock(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(left / 60);
  return minutes >= 60 ? `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

// What stands in the chip and under the countdown: [key, chip, label].
export function phase(state) {
  if (state.paused && !state.finished) return ["paused", "paused", "the clock stands"];
  switch (state.phase) {
    case "open": return ["open", "open for entries", "length of the round"];
    case "warm-up": return ["warm-up", "warm-up", "until it counts"];
    case "live": return ["live", "live", "until the round ends"];
    case "locked": return ["locked", "locked", state.finished ? "waiting for the reveal" : "still running, unseen"];
    default: return ["revealed", "final", "the round is over"];
  }
}

export function tag(kind) {
  return kind === "learner" ? "" : kind === "house" ? "house" : "baseline";
}
