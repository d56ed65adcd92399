// The platform: isolates that run the Worker, the objects, and the clock that both
// see. One call at a time, as everything in the simulation.

import { createHash } from 'node:crypto';
import { exchange } from './calls.mjs';
import { Isolate } from './isolate.mjs';
import { ObjectHost } from './object.mjs';

export class Platform {
  #offset = 0;
  #objects = new Map();
  /** By the id, the name that it was made of. */
  #names = new Map();
  #isolates = [];
  #timers = new Map();
  #lastTimer = 0;
  /** Who is being run: an incarnation of an object, or a request of the front. */
  context;

  /**
   * `faults` decides what goes wrong, `random` is named streams of numbers, and
   * `hears` is told what is seen: `trace`, `violation`, `line`, `crashed`, `panicked`,
   * `slept`, and `called`: by another object.
   */
  constructor({ program, loop, random, faults, hears, isolates = 1 }) {
    Object.assign(this, { program, loop, random, faults, hears, isolateCount: isolates });
    this.env = { DORMOUSE: this.#namespace() };
    this.#start();
  }

  #start() {
    this.#isolates = Array.from({ length: this.isolateCount }, () => new Isolate(this.program, this));
  }

  trace(line) {
    this.hears.trace(line);
  }

  violation(message) {
    this.hears.violation(message);
  }

  console(level, line) {
    this.hears.line(level, line);
  }

  /** An exception that nobody caught: a panic, mostly. */
  uncaught(error) {
    this.hasPanicked = true;
    this.hears.panicked(error);
  }

  crashed(host) {
    this.hears.crashed(host);
  }

  // Time and chance.

  /** The time as the Worker is told it. No two machines have quite the same. */
  time(host = this.context?.host) {
    return Math.floor(this.loop.now + this.#offset + this.faults.skew(host));
  }

  trueTime(time, host) {
    return time - this.#offset - this.faults.skew(host);
  }

  /** The clock of the platform is set. */
  jump(by) {
    this.trace(`the clock jumps by ${by} ms`);
    this.#offset += by;
    for (const host of this.#objects.values()) host.planAlarm(host.storage.alarm);
  }

  randomBytes(bytes) {
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = Math.floor(this.random.server() * 256);
    return bytes;
  }

  setTimeout(run, delay = 0, ...args) {
    const { context } = this;
    const id = (this.#lastTimer += 1);
    const entry = this.loop.after(Math.max(0, delay), () => {
      this.clearTimeout(id);
      this.runIn(context, () => run(...args));
    });
    this.#timers.set(id, { context, entry });
    context.timers.add(id);
    return id;
  }

  /** Calls back whoever asked for it, if it is there. */
  runIn(context, run) {
    if (!context || context.dead) return;
    this.context = context;
    context.isolate.guarded(run);
  }

  clearTimeout(id) {
    const timer = this.#timers.get(id);
    if (!timer) return;
    this.#timers.delete(id);
    this.loop.cancel(timer.entry);
    timer.context.timers.delete(id);
  }

  // Objects.

  get objects() {
    return [...this.#objects.values()];
  }

  get isolates() {
    return this.#isolates;
  }

  #object(id) {
    let host = this.#objects.get(id);
    if (!host) {
      host = new ObjectHost(this, id);
      host.name = `${this.#objects.size} ${this.#names.get(id) ?? ''}`.trim();
      this.#objects.set(id, host);
    }
    return host;
  }

  isolateOf(host) {
    const place = parseInt(host.id.slice(0, 4), 16) + host.moves;
    return this.#isolates[place % this.#isolates.length];
  }

  #namespace() {
    const known = new Set();
    const id = (hex) => {
      known.add(hex);
      return { toString: () => hex, hex };
    };
    return {
      idFromName: (name) => {
        const hex = createHash('sha256').update(name).digest('hex');
        this.#names.set(hex, name);
        return id(hex);
      },
      newUniqueId: () => id(Buffer.from(this.randomBytes(new Uint8Array(32))).toString('hex')),
      idFromString: (hex) => {
        if (!known.has(hex)) throw new TypeError('Invalid Durable Object ID');
        return id(hex);
      },
      get: ({ hex }) => this.#stub(hex),
    };
  }

  /** What an object is to the rest of the Worker: requests of clients, and calls. */
  #stub(hex) {
    const call = (method) => (...args) => {
      const copied = args.map((arg) => structuredClone(arg));
      return this.#call(hex, (host) => host.call(method, copied));
    };
    // Of objects that call each other, much more can go wrong.
    const ends = this.#objects.get(hex)?.ends ?? 0;
    const ask = (...args) => {
      if (!this.context.host) return call('dormouseCall')(...args);
      return exchange(this, this.#object(hex), ends, args);
    };
    return {
      fetch: (request) => {
        const passed = request.passedOn();
        return this.#call(hex, (host) => host.fetch(passed));
      },
      dormouseCall: ask,
      dormouseWake: call('dormouseWake'),
    };
  }

  /** Something on its way to an object. */
  #call(hex, arrive) {
    const caller = this.context;
    return new Promise((resolve, reject) => {
      caller.calls += 1;
      const settle = (act) => (value) => {
        caller.calls -= 1;
        this.context = caller;
        if (!caller?.dead) act(value);
      };
      this.loop.after(this.faults.hop(), () => {
        arrive(this.#object(hex)).then(settle(resolve), settle(reject));
      });
    });
  }

  acceptAwake(link) {
    this.context.host.acceptAwake(link);
  }

  output(host, act) {
    if (host) host.output(act);
    else act();
  }

  /** A client has closed, and the object has not answered. */
  unanswered(link) {
    this.violation('a WebSocket that its client closed was not closed in answer');
    link.drop();
  }

  // The front.

  /** A request of a client: the promise of its response. */
  fetch(request) {
    const isolate = this.#isolates[Math.floor(this.random.platform() * this.#isolates.length)];
    this.context = { isolate, timers: new Set(), calls: 0, dead: false };
    const Front = isolate.exports.default;
    try {
      return Promise.resolve(new Front({ waitUntil() {} }, this.env).fetch(request));
    } catch (error) {
      this.uncaught(error);
      return Promise.reject(error);
    }
  }

  /** A new version of the Worker, or of the runtime: every object is cut off. */
  redeploy() {
    this.trace('the Worker is deployed anew');
    this.#start();
    for (const host of this.#objects.values()) {
      if (this.faults.leavesOld()) host.move('deployed anew');
      else host.crash('deployed anew');
    }
  }

  end() {
    for (const host of this.#objects.values()) host.storage.close();
  }
}
