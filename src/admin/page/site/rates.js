// From counts to rates, and from numbers to what people read.

const KEPT = 60;

// The course of some counts: what `add` was told of them, a minute back.
export class Course {
  constructor() {
    this.at = null;
    this.counts = new Map();
    this.histories = new Map();
    this.timed = new Map();
  }

  // Takes in the counts of a moment, in seconds; counts that fell began anew.
  add(at, counts) {
    const passed = this.at === null ? 0 : at - this.at;
    for (const [name, count] of counts) {
      const before = this.counts.get(name);
      if (passed <= 0 || before === undefined) continue;
      const rate = Math.max(0, count >= before ? count - before : count) / passed;
      const history = this.histories.get(name) ?? [];
      history.push(rate);
      this.histories.set(name, history.slice(-KEPT));
    }
    for (const name of this.histories.keys()) {
      if (!counts.has(name)) this.histories.delete(name);
    }
    this.at = at;
    this.counts = counts;
  }

  // Of the last second; null before there are two moments.
  rate(name) {
    return this.history(name).at(-1) ?? null;
  }

  // Each of the last seconds, oldest first.
  history(name) {
    return this.histories.get(name) ?? [];
  }

  // Takes in the histograms of a moment.
  addTimes(histograms) {
    for (const [name, histogram] of histograms) {
      if (!this.timed.has(name)) this.timed.set(name, new Times());
      this.timed.get(name).add(histogram);
    }
  }

  // See Times.lately.
  times(name) {
    return this.timed.get(name)?.lately() ?? null;
  }

  // How much came within the time that is remembered.
  lately(name) {
    return Math.round(this.history(name).reduce((sum, rate) => sum + rate, 0));
  }
}

// Times that came lately: what a histogram has more than a while ago.
class Times {
  constructor() {
    this.looks = [];
  }

  add(times) {
    this.looks = [...this.looks, times].slice(-TIMES_KEPT);
  }

  // The mean, and what 99 of 100 stayed below, in microseconds; null where there were none.
  lately() {
    const [before, now] = [this.looks[0], this.looks.at(-1)];
    const buckets = now.buckets.map((count, index) => count - before.buckets[index]);
    const all = buckets.reduce((sum, count) => sum + count, 0);
    if (all <= 0) return null;
    let seen = 0;
    const bucket = buckets.findIndex((count) => (seen += count) >= all * 0.99);
    const bound = bucket === buckets.length - 1 ? Infinity : FIRST_BOUND * 2 ** bucket;
    return { mean: (now.sum - before.sum) / all, most: bound };
  }
}

// Ten seconds.
const TIMES_KEPT = 11;
const FIRST_BOUND = 50;

export function count(number) {
  if (number === null || number === undefined) return "–";
  const size = Math.abs(number);
  if (size >= 1e9) return `${(number / 1e9).toFixed(2)} G`;
  if (size >= 1e6) return `${(number / 1e6).toFixed(2)} M`;
  if (size >= 1e4) return `${(number / 1e3).toFixed(1)} k`;
  return Math.round(number).toLocaleString("en");
}

export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) [number, unit] = [number / 1000, unit + 1];
  return `${unit === 0 || number >= 100 ? Math.round(number) : number.toFixed(1)} ${units[unit]}`;
}

export function percent(part) {
  return `${(part * 100).toFixed(1)} %`;
}

// A length of time, in seconds.
export function span(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// A latency, in microseconds.
export function latency(micros) {
  if (micros === null || micros === undefined) return "–";
  if (micros === Infinity) return "13 s or more";
  if (micros < 1000) return `${Math.round(micros)} µs`;
  if (micros < 1e6) return `${(micros / 1000).toFixed(micros < 1e4 ? 1 : 0)} ms`;
  return `${(micros / 1e6).toFixed(1)} s`;
}
