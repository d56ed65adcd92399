// The time that the Worker under count lives in. It stands still until the
// counting harness moves it on, and what waits for it (timers, alarms) happens when
// the harness says so. With the binding REAL_TIME it is the runtime's own time.

import { env } from 'cloudflare:workers';

export const isReal = env.REAL_TIME === true;
const realNow = Date.now.bind(Date);
const realTimeout = globalThis.setTimeout.bind(globalThis);
const realClear = globalThis.clearTimeout.bind(globalThis);

/** When the simulation begins. Any moment will do. */
let now = Date.UTC(2026, 10, 17);
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

/**
 * Timers, of which the platform knows nothing unless the time is real. `owner` says
 * which object's they are; `changed` is told how many more there are of it.
 */
export class Timers {
  #pending = new Map();
  #last = 0;

  constructor(owner, changed) {
    globalThis.setTimeout = (callback, after = 0, ...args) => {
      const id = (this.#last += 1);
      const timer = { owner: owner(), due: time() + after, run: () => callback(...args) };
      this.#pending.set(id, timer);
      changed(timer.owner, +1);
      timer.forget = () => {
        const isPending = this.#pending.delete(id);
        if (isPending) changed(timer.owner, -1);
        return isPending;
      };
      if (isReal) timer.real = realTimeout(() => timer.forget() && timer.run(), after);
      return id;
    };
    globalThis.clearTimeout = (id) => {
      const timer = this.#pending.get(id);
      if (timer?.real !== undefined) realClear(timer.real);
      timer?.forget();
    };
  }

  /** When the first of these timers goes off. */
  next(owner) {
    return Math.min(...this.#of(owner).map(({ due }) => due));
  }

  /** Runs those that are due, the earliest first. */
  run(owner) {
    const due = this.#of(owner).filter((timer) => timer.due <= now);
    for (const timer of due.sort((a, b) => a.due - b.due)) {
      if (timer.forget()) timer.run();
    }
  }

  #of(owner) {
    return [...this.#pending.values()].filter((timer) => timer.owner === owner);
  }
}
