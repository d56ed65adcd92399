// One seed, many streams of numbers: each party has its own, so that what one of
// them does with its numbers changes nothing for another.

import { random as stream } from '../harness/random.mjs';

export class Random {
  #streams = new Map();

  constructor(seed) {
    this.seed = seed;
  }

  /** The stream of this name: a function that gives numbers in [0, 1). */
  stream(name) {
    let next = this.#streams.get(name);
    if (!next) this.#streams.set(name, (next = stream(mix(this.seed, name))));
    return next;
  }

  chance(name, probability) {
    return this.stream(name)() < probability;
  }

  between(name, low, high) {
    return low + this.stream(name)() * (high - low);
  }

  integer(name, low, high) {
    return Math.floor(this.between(name, low, high + 1));
  }

  pick(name, values) {
    return values[Math.floor(this.stream(name)() * values.length)];
  }

  // What the Worker draws, and the platform for it.
  server = () => this.stream('server')();
  platform = () => this.stream('platform')();
}

/** FNV-1a over the seed and the name. */
function mix(seed, name) {
  let hash = 0x811c9dc5;
  for (const char of `${seed}/${name}`) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193);
  return hash >>> 0;
}
