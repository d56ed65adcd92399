// The time that the Worker lives in. If it is manual, it stands still until the harness moves
// it on, and what waits for it (timers, alarms) happens when the harness says so. Otherwise
// it is the runtime's own.

import { settings } from './settings.mjs';

export const isReal = !settings.manual;
/** The runtime's time. */
export const realNow = Date.now.bind(Date);
const real = {
  setTimeout: globalThis.setTimeout.bind(globalThis),
  clearTimeout: globalThis.clearTimeout.bind(globalThis),
};

let now = settings.start;
/** From when on, by the runtime's time, it was what time here. */
const epochs = [{ from: 0, now }];

if (!isReal) Date.now = () => now;

export function time() {
  return Date.now();
}

/** Wall time in milliseconds, for what is measured and not simulated. */
export const wallTime = () => performance.now();

/** Moves the time on, and says by how much. */
export function jump(to) {
  const by = Math.max(to - now, 0);
  now += by;
  epochs.push({ from: realNow(), now });
  return by;
}

/** What time it was here when the runtime's own clock said `date`. */
export function translate(date) {
  if (isReal || date === null) return date;
  const epoch = epochs.findLast(({ from }) => from <= date.getTime());
  return new Date(epoch.now);
}

/** A moment that the runtime's alarm never gets to: writing it down costs the same. */
export const never = () => realNow() + 30 * 24 * 60 * 60 * 1000;

/** The runtime numbers its own timers from 1 on. */
const FIRST = 2 ** 30;

/**
 * Timers, of which the platform knows nothing unless the time is real. `owner` says
 * which object's they are; `changed` is told how many more there are of it. Those of no
 * object stay the runtime's.
 */
export class Timers {
  #pending = new Map();
  #last = FIRST;

  constructor(owner, changed) {
    const set = (callback, after, args, repeats) => {
      const id = (this.#last += 1);
      const due = time() + Number(after ?? 0);
      const timer = { id, owner: owner(), due, every: repeats ? Math.max(Number(after ?? 0), 1) : undefined };
      timer.run = () => callback(...args);
      timer.forget = () => {
        const isPending = this.#pending.delete(id);
        if (isPending) changed(timer.owner, -1);
        return isPending;
      };
      this.#pending.set(id, timer);
      changed(timer.owner, +1);
      return timer;
    };
    globalThis.setTimeout = (callback, after, ...args) => {
      if (!owner() && !isReal) return real.setTimeout(callback, after, ...args);
      const timer = set(callback, after, args, false);
      if (isReal) timer.real = real.setTimeout(() => timer.forget() && timer.run(), after);
      return timer.id;
    };
    globalThis.clearTimeout = (id) => {
      const timer = this.#pending.get(id);
      if (!timer) return real.clearTimeout(id);
      if (timer.real !== undefined) real.clearTimeout(timer.real);
      timer.forget();
      return undefined;
    };
    if (!isReal) this.#intervals(owner, set);
  }

  #intervals(owner, set) {
    const [setInterval, clearInterval] = ['setInterval', 'clearInterval'].map((name) => globalThis[name].bind(globalThis));
    globalThis.setInterval = (callback, after, ...args) =>
      owner() ? set(callback, after, args, true).id : setInterval(callback, after, ...args);
    globalThis.clearInterval = (id) => (this.#pending.get(id)?.forget() ?? clearInterval(id), undefined);
  }

  /** When the first of these timers goes off. */
  next(owner) {
    return Math.min(...this.#of(owner).map(({ due }) => due));
  }

  /** Runs those that are due, the earliest first. */
  run(owner) {
    const due = this.#of(owner).filter((timer) => timer.due <= now);
    for (const timer of due.sort((a, b) => a.due - b.due)) {
      if (!this.#pending.has(timer.id)) continue;
      if (timer.every === undefined) timer.forget();
      else timer.due += timer.every;
      timer.run();
    }
  }

  #of(owner) {
    return [...this.#pending.values()].filter((timer) => timer.owner === owner);
  }
}
