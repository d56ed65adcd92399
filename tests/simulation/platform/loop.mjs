// Virtual time: what is to happen, in order. What falls on the same moment
// happens in the order in which it was planned, so nothing is left to chance.

// Taken before anything is faked: lets microtasks run dry.
const { setImmediate } = globalThis;

export class Loop {
  #heap = [];
  #planned = 0;
  now = Date.UTC(2030, 0, 1);
  steps = 0;

  /** Plans something. What it returns can be handed to `cancel`. */
  at(time, run) {
    const entry = { time: Math.max(time, this.now), order: (this.#planned += 1), run };
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1);
    return entry;
  }

  after(delay, run) {
    return this.at(this.now + delay, run);
  }

  cancel(entry) {
    if (entry) entry.run = undefined;
  }

  /** Does what is planned up to a moment; `after` is called after each step. */
  async runUntil(end, after) {
    for (;;) {
      const entry = this.#heap[0];
      if (!entry || entry.time > end) break;
      this.#pop();
      if (!entry.run) continue;
      this.now = entry.time;
      this.steps += 1;
      entry.run();
      await drained();
      after?.();
    }
    this.now = Math.max(this.now, end);
  }

  #rise(place) {
    const heap = this.#heap;
    for (let child = place; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!isBefore(heap[child], heap[parent])) return;
      [heap[child], heap[parent]] = [heap[parent], heap[child]];
      child = parent;
    }
  }

  #pop() {
    const heap = this.#heap;
    const last = heap.pop();
    if (heap.length === 0) return;
    heap[0] = last;
    for (let parent = 0; ;) {
      let first = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < heap.length && isBefore(heap[child], heap[first])) first = child;
      }
      if (first === parent) return;
      [heap[parent], heap[first]] = [heap[first], heap[parent]];
      parent = first;
    }
  }
}

function isBefore(a, b) {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

/** Resolves when every promise that can go on has gone on. */
export function drained() {
  return new Promise((resolve) => setImmediate(resolve));
}
