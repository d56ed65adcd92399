// One object and its clients, for as long as one likes: whatever comes next is what
// happens next, and the time in between is skipped. When nothing is to come for ten
// seconds and nothing keeps the object awake, it is put to sleep, as the platform
// would do it.

import { setImmediate as breathe } from 'node:timers/promises';
import { openClient } from './clients.mjs';

const SLEEP_AFTER = 10_000;
export const PING_INTERVAL = 25_000;

/** Clients do not all come at once. More phases than these change nothing but the time it takes. */
const PHASES = 5;
const PARALLEL = 64;
/** How often the meter is read before something must be wrong: many seconds. */
const PATIENCE = 20_000;

export class Simulation {
  #server;
  #object;
  #path;
  #isSocketIo;
  #state;
  #isAsleep = false;
  /** When the object was last called. What the runtime answers by itself is no call. */
  #lastCall = 0;
  /** For how long the object has been in memory, be it idle. */
  #inMemory = 0;
  clients = [];
  /** Clients of revision 3, and when the next ping of theirs is due. */
  #groups = [];

  constructor(server, { object, path, isSocketIo = false }) {
    this.#server = server;
    this.#object = object;
    this.#path = path;
    this.#isSocketIo = isSocketIo;
  }

  get now() {
    return this.#state.now;
  }

  /** Opens clients throughout one ping interval. */
  async open(crowds) {
    for (let phase = 0; phase < PHASES; phase += 1) {
      for (const crowd of crowds) {
        const share = Math.floor(crowd.count / PHASES) + (phase < crowd.count % PHASES ? 1 : 0);
        if (share > 0) await this.#openGroup(crowd, share);
      }
      if (this.clients.length > 0) await this.run(PING_INTERVAL / PHASES);
    }
  }

  async #openGroup({ revision, transport }, count) {
    const options = {
      revision,
      transport,
      path: this.#path,
      object: this.#object,
      isSocketIo: this.#isSocketIo,
    };
    const group = [];
    while (group.length < count) {
      const some = Math.min(PARALLEL, count - group.length);
      const opening = Array.from({ length: some }, () => openClient(this.#server, options));
      group.push(...(await Promise.all(opening)));
    }
    this.clients.push(...group);
    await this.settle();
    if (revision === 3) this.#groups.push({ clients: group, due: this.now + PING_INTERVAL });
  }

  /** What is spent while something is done. */
  async spent(action) {
    const before = this.#reading();
    await action();
    return difference(before, this.#reading());
  }

  /** Goes on for that long. */
  async run(ms) {
    const end = this.now + ms;
    for (let next = this.#next(); next <= end; next = this.#next()) {
      await this.#skipTo(next);
      await this.#happen();
    }
    await this.#skipTo(end);
    await this.settle();
  }

  #reading() {
    const { now, front, counts } = this.#state;
    const { requests, cpu } = front;
    return { time: now, ...counts, inMemory: this.#inMemory, workerRequests: requests, workerCpu: cpu };
  }

  #next() {
    const { alarm, timer } = this.#state;
    return Math.min(alarm ?? Infinity, timer ?? Infinity, ...this.#groups.map(({ due }) => due));
  }

  async #skipTo(moment) {
    if (moment <= this.now) return;
    const sleepsAt = this.#state.isBusy ? Infinity : this.#lastCall + SLEEP_AFTER;
    if (!this.#isAsleep) this.#inMemory += Math.min(moment, sleepsAt) - this.now;
    if (!this.#isAsleep && sleepsAt <= moment) {
      await this.#server.sleep(this.#state.id);
      this.#isAsleep = true;
    }
    await this.#server.jump(moment);
    this.#state.now = moment;
  }

  /** What is due now, on either side. */
  async #happen() {
    const { alarm, timer } = this.#state;
    if (Math.min(alarm ?? Infinity, timer ?? Infinity) <= this.now) {
      await this.#server.fire(this.#object);
    }
    for (const group of this.#groups.filter(({ due }) => due <= this.now)) {
      group.due += PING_INTERVAL;
      for (const client of group.clients) client.beat();
    }
    await this.settle();
  }

  /** Waits until everything that was sent has been received, and what it led to as well. */
  async settle() {
    for (let patience = 0; ; patience += 1) {
      const state = await this.#server.state(this.#object);
      const lost = this.clients.find(({ failure }) => failure);
      if (lost) throw lost.failure;
      if (this.#isSettled(state)) {
        this.#update(state);
        return;
      }
      if (patience > PATIENCE) this.#giveUp(state);
      await breathe();
    }
  }

  #giveUp(state) {
    throw new Error(`it does not come to rest: ${JSON.stringify({ ...state, ...this.#totals() })}`);
  }

  #update(state) {
    if (calls(state.counts) > calls(this.#state?.counts)) {
      this.#isAsleep = false;
      this.#lastCall = state.now;
    }
    this.#state = state;
  }

  #totals() {
    const totals = { received: 0, sent: 0, polls: 0, isQuiet: true };
    for (const { received, sent, polls, isQuiet } of this.clients) {
      totals.received += received;
      totals.sent += sent;
      totals.polls += polls;
      totals.isQuiet &&= isQuiet;
    }
    return totals;
  }

  #isSettled({ requests, storage, counts }) {
    const { received, sent, polls, isQuiet } = this.#totals();
    if (!isQuiet || requests !== polls || storage > 0) return false;
    if (polls > 0) return true;
    // What the object did not see the runtime has answered.
    return received === counts.sent + sent - counts.messages;
  }

  /** All of them are gone. */
  async close() {
    const isPolling = this.clients.some(({ polls }) => polls > 0);
    for (const client of this.clients) client.isClosed = true;
    // Else thousands of WebSockets would tell the object that they are gone. A poll
    // that is let go of takes its session along.
    if (!isPolling) await this.#server.cut(this.#object);
    for (const client of this.clients) client.close();
  }
}

/** Whatever an object is awake for. A timer keeps it so before it goes off. */
export function calls(counts = {}) {
  const { fetches = 0, messages = 0, closes = 0, alarms = 0 } = counts;
  return fetches + messages + closes + alarms;
}

/** What was spent between two readings. */
function difference(before, after) {
  return Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - before[name]]));
}
