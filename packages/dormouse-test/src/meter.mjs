// What objects have done that is billed, as tests read it.

import { setTimeout as delay } from 'node:timers/promises';
import { objectId } from './ids.mjs';

/** How often what cannot be awaited is looked at, in milliseconds. */
const EVERY = 5;

export class Meter {
  #runtime;
  #manual;

  constructor(runtime, manual) {
    this.#runtime = runtime;
    this.#manual = manual;
  }

  /** What was spent while `action` ran, by all objects or by one. */
  async spent(action, of) {
    const before = await this.total(of);
    await action();
    const after = await this.total(of);
    return Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
  }

  /** What was spent since the start, by all objects or by one. */
  async total(of) {
    const id = of === undefined ? undefined : objectId(of);
    const [objects, { front }] = await Promise.all([this.objects(), this.#runtime.watch('whole')]);
    const chosen = objects.filter((object) => id === undefined || object.id === id);
    const sum = (count) => chosen.reduce((total, { counts }) => total + count(counts), 0);
    return {
      requests: sum(({ fetches }) => fetches),
      messages: sum(({ messages }) => messages),
      alarms: sum(({ alarms }) => alarms),
      // Setting the alarm writes one, too.
      rowsWritten: sum(({ rowsWritten, alarmsSet }) => rowsWritten + alarmsSet),
      rowsRead: sum(({ rowsRead }) => rowsRead),
      wakes: sum(({ wakes }) => wakes),
      sent: sum(({ sent }) => sent),
      workerRequests: front.requests,
      // On the runtime's own clock nobody counts for how long an object is merely held.
      ...(this.#manual && { awake: sum(({ held, running }) => held + running) }),
    };
  }

  /** What the meters of all objects show. */
  async objects() {
    return Object.values(await this.#runtime.watch('all'));
  }

  /** Reads the meters until `settled` is true of them, or for so many milliseconds. */
  async until(settled, ms) {
    const end = performance.now() + ms;
    for (;;) {
      const objects = await this.objects();
      if ((await settled(objects)) || performance.now() > end) return objects;
      await delay(EVERY);
    }
  }
}
