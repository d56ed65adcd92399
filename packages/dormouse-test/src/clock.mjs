// The time of a Worker that is started with a clock of its own, which stands still until a
// test moves it. What comes due on the way happens one after the other, as it would have.

import { setTimeout as delay } from 'node:timers/promises';

/** An object sleeps after so long in which nothing happens and nothing keeps it awake. */
const SLEEP_AFTER = 10_000;
/** How long clients have, in milliseconds of their own time, to do what a moment has them do. */
const GRACE = 1_000;
/** Timers by which connections are opened, in milliseconds, are no longer. */
const SHORT = 1_000;
/** How often what cannot be awaited is looked at, in milliseconds. */
const TICK = 5;
/** How often something may be due again at once, before it is said to never end. */
const ROUNDS = 100;

export class Clock {
  #runtime;
  #meter;

  constructor(runtime, meter) {
    this.#runtime = runtime;
    this.#meter = meter;
  }

  /** What time it is, in milliseconds since 1970. */
  async now() {
    return (await this.#runtime.watch('whole')).now;
  }

  async advance(ms) {
    if (!(ms >= 0 && ms < Infinity)) throw new TypeError(`time goes forward: ${ms} is no number of milliseconds to move it by`);
    await this.advanceTo((await this.now()) + ms);
  }

  async advanceTo(end) {
    let last;
    for (let rounds = 0; ; rounds += 1) {
      const objects = await this.#meter.objects();
      const next = Math.min(end, ...objects.map(due));
      if (next !== last) rounds = 0;
      if (rounds > ROUNDS) throw new Error('time stands still: something is due again as soon as it is over');
      last = next;
      await this.#letSleep(objects, next);
      await this.#runtime.watch('jump', next);
      const ready = objects.filter((object) => due(object) <= next);
      if (ready.length === 0) return;
      for (const { id } of ready) await this.#runtime.control('fire', { id });
      await this.#settle(objects);
    }
  }

  /** Moves the time by as little as it takes until the promise is settled: only timers of a second or less go off. */
  async during(promise) {
    let isOver = false;
    const over = () => (isOver = true);
    promise.then(over, over);
    while (!isOver) {
      const [now, objects] = await Promise.all([this.now(), this.#meter.objects()]);
      const next = Math.min(...objects.map(({ timer }) => timer ?? Infinity));
      if (next <= now + SHORT && !isOver) await this.advanceTo(next);
      else await Promise.race([promise.catch(over), delay(TICK)]);
    }
    return promise;
  }

  /** Puts those to sleep that the platform would have put to sleep by then. */
  async #letSleep(objects, moment) {
    const idle = objects.filter(({ isAwake, isBusy, lastCall }) => isAwake && !isBusy && lastCall + SLEEP_AFTER <= moment);
    for (const { id } of idle) {
      await this.#runtime.control('evict', { id, webSockets: 'hibernate' });
      await this.#runtime.watch('asleep', id);
    }
  }

  /** Waits until clients have answered: pings over WebSocket, and by the next poll. */
  async #settle(before) {
    const polls = new Map(before.map(({ id, requests }) => [id, requests]));
    const calm = async (objects) => {
      for (const { id, pinged } of objects) if (pinged > 0) await this.#runtime.control('pinged', { id });
      return objects.every(({ id, requests, storage, fetching, pinged }) => {
        return pinged + storage + fetching === 0 && requests >= (polls.get(id) ?? 0);
      });
    };
    await this.#meter.until(calm, GRACE);
  }
}

/** When something of an object's is due. */
const due = ({ timer, alarm }) => Math.min(timer ?? Infinity, alarm ?? Infinity);
