// Waiting, always with a time limit: a test that hangs says what it waited for.

/** In milliseconds; where much else goes on at the same time, more is needed. */
export const PATIENCE = Number(process.env.DORMOUSE_TEST_PATIENCE ?? 8_000);

/** `promise`, or an error that names `what` after `ms` milliseconds. */
export function within(promise, what, ms = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Values that arrive whenever they like, taken in order by whoever asks. */
export class Queue {
  #values = [];
  #waiting = [];
  #end;

  push(value) {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(value);
    else this.#values.push(value);
  }

  /** No more values: everyone who waits, and asks from now on, gets `error`. */
  close(error) {
    this.#end ??= error;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#end);
  }

  next(what = 'value', ms = PATIENCE) {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift());
    if (this.#end) return Promise.reject(this.#end);
    const waiter = Promise.withResolvers();
    this.#waiting.push(waiter);
    return within(waiter.promise, what, ms).catch((error) => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      throw error;
    });
  }

  /** What has arrived and nobody has taken. */
  get pending() {
    return [...this.#values];
  }
}
