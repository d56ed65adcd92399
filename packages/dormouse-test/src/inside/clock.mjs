// The time that the Worker lives in. If it is manual, it stands still until the harness moves
// it on, and what waits for it (timers, alarms) happens when the harness says so. Otherwise
// it is the runtime's own.

import { settings } from './settings.mjs';

export const isReal = !settings.manual;
/** The runtime's time. */
export const realNow = Date.now.bind(Date);
/** The runtime's timers. */
const real = Object.fromEntries(
  ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'].map((name) => [name, globalThis[name].bind(globalThis)]),
);

let now = settings.start;
/** From when on, by the runtime's time, it was what time here. */
const epochs = [{ from: 0, now }];

if (!isReal) {
  Date.now = () => now;
  globalThis.Date = new Proxy(Date, {
    construct: (Date, args, of) => Reflect.construct(Date, args.length === 0 ? [now] : args, of),
    apply: (Date) => new Date(now).toString(),
  });
}

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
 * whose they are; `changed` is told how many more there are of it. Those of nobody stay the
 * runtime's.
 */
export class Timers {
  #owner;
  #changed;
  #pending = new Map();
  #last = FIRST;

  constructor(owner, changed) {
    this.#owner = owner;
    this.#changed = changed;
    globalThis.setTimeout = (callback, after = 0, ...args) => {
      if (!isReal && !owner()) return real.setTimeout(callback, after, ...args);
      const timer = this.#set(() => callback(...args), Number(after));
      if (isReal) timer.real = real.setTimeout(() => this.#forget(timer) && timer.run(), after);
      return timer.id;
    };
    globalThis.clearTimeout = (id) => this.#clear(id, real.clearTimeout);
    if (isReal) return;
    globalThis.setInterval = (callback, after = 0, ...args) => {
      if (!owner()) return real.setInterval(callback, after, ...args);
      return this.#set(() => callback(...args), Number(after), Math.max(Number(after), 1)).id;
    };
    globalThis.clearInterval = (id) => this.#clear(id, real.clearInterval);
  }

  #set(run, after, every) {
    const timer = { id: (this.#last += 1), owner: this.#owner(), due: time() + after, every, run };
    this.#pending.set(timer.id, timer);
    this.#changed(timer.owner, +1);
    return timer;
  }

  #clear(id, clear) {
    const timer = this.#pending.get(id);
    // Or it is the runtime's, all of it or what makes it go off.
    clear(timer ? timer.real : id);
    if (timer) this.#forget(timer);
  }

  /** Whether it was still to go off. */
  #forget(timer) {
    const isPending = this.#pending.delete(timer.id);
    if (isPending) this.#changed(timer.owner, -1);
    return isPending;
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
      if (timer.every === undefined) this.#forget(timer);
      else timer.due += timer.every;
      timer.run();
    }
  }

  #of(owner) {
    return [...this.#pending.values()].filter((timer) => timer.owner === owner);
  }
}
