// An attack on an object that others are in, on the real runtime with a meter around
// the object. Each says what it may cost, and checks afterwards that the others are
// served as if nothing had happened. Counted are bytes, rows, statements and calls, and
// never time: the clock of the runtime stands still unless an attack moves it on.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { setImmediate as breathe } from 'node:timers/promises';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startMetered } from '../harness/meter/metered.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { openClient, openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

export const MiB = 1 << 20;
/** About as much as a message, or the body of a `POST`, may have by default. */
export const LARGE = 990_000;
export const SEPARATOR = '\x1e';

/** What any attack may cost, unless it says otherwise. */
const USUAL = {
  /** Of the rows that one statement brings into memory. */
  largestRead: 4 * MiB,
  /** A panic makes another instance. */
  panics: 0,
  /** Lines of the log at its default level: one or two for a session that is ended. */
  warnings: 20,
  errors: 0,
};
/**
 * Where wasm memory is what counts: its bytes, with a budget for clients of 32 MiB; and
 * more lines of the log, for there are more sessions that end.
 */
const LINEAR = { wasm: 64 * MiB, warnings: 300 };
/** Readings that are taken as they are; of the others, what has been added counts. */
const ABSOLUTE = ['wasm', 'database', 'largestRead', 'awake'];
/** A condition that is not met after so many milliseconds never will be. */
const PATIENCE = 60_000;

/** Servers of Engine.IO alone; those of Socket.IO are the others. */
const ENGINES = ['/sleepy/', '/strict/', '/polling/', '/websocket/', '/noupgrade/'];

let fields = 0;

/**
 * Returns a function that defines a test: `attack(name, { path, may }, act)`. `may` has
 * bounds by the names of what is read (`Field.reading`). Where wasm memory is what counts, each attack has a runtime of its own
 * (`isFresh`): that memory never shrinks. `othersAt`: the server that the others are
 * clients of, in the same isolate. `start` starts another Worker than that of the tests,
 * and `openOthers` opens its clients.
 */
export function attacks({ isFresh = false, start = startMetered, openOthers = openBystanders } = {}) {
  let shared;
  if (!isFresh) {
    before(async () => (shared = await start({ quiet: true })));
    after(() => shared?.stop());
  }
  return (name, { path = '/io/', othersAt = path, may = {}, ...how }, act) => {
    test(name, workerOnly, async (context) => {
      const server = shared ?? (await start({ quiet: true, ...how }));
      try {
        const spent = await suffer(new Field(server, path, othersAt, openOthers), act);
        context.diagnostic(describe(spent));
        check(spent, { ...USUAL, ...(isFresh && LINEAR), ...may });
      } finally {
        if (!shared) await server.stop();
      }
    });
  };
}

/** Those who do no harm, as clients of the test Worker. */
function openBystanders(server, options) {
  const open = ENGINES.includes(options.path) ? bystanders : socketBystanders;
  return open(server, options);
}

/** What an attack has spent, once the others were served as if nothing had happened. */
async function suffer(field, act) {
  await field.open();
  await field.begin();
  await act(field);
  await field.others?.check();
  return field.spent();
}

function check(spent, may) {
  for (const [what, bound] of Object.entries(may)) {
    assert.ok(spent[what] <= bound, `${what}: ${spent[what]}, and no more than ${bound} is allowed`);
  }
}

/** Everything that was spent, for the report. */
function describe(spent) {
  const some = Object.entries(spent).filter(([, value]) => value > 0);
  return some.map(([what, value]) => `${what} ${Math.round(value)}`).join(', ');
}

class Field {
  #before;
  #openOthers;

  constructor(server, path, othersAt, openOthers) {
    Object.assign(this, { server, path, othersAt });
    this.#openOthers = openOthers;
    /** The object, as its sessions name it. */
    this.object = `attacked-${(fields += 1)}`;
    this.query = { object: this.object };
  }

  /** Lets those in who do no harm. */
  async open() {
    this.others = await this.#openOthers(this.server, this.#options({ path: this.othersAt }));
    // They are saved: the runtime's own clock may put the object to sleep meanwhile.
    await this.pass(1_000);
  }

  /** Nobody but the attacker is there any more. */
  async desert() {
    await this.others.leave();
    this.others = undefined;
  }

  #options({ query, ...more } = {}) {
    return { path: this.path, ...more, query: { ...this.query, ...query } };
  }

  /** Opens a session of Engine.IO over WebSocket. */
  session(more) {
    return openSession(this.server, this.#options(more));
  }

  /** Opens a session of Engine.IO via polling. */
  polling(more) {
    return openPolling(this.server, this.#options(more));
  }

  /** Opens a session of Socket.IO, in no namespace. */
  client(more) {
    return openClient(this.server, this.#options(more));
  }

  /** Opens a session of Socket.IO and joins a namespace. */
  member(more) {
    return openMember(this.server, this.#options(more));
  }

  many(count, open) {
    return Promise.all(Array.from({ length: count }, (_, index) => open(index)));
  }

  /** A request that may be anything. */
  request(options) {
    return fetchRaw(this.server, this.#options(options));
  }

  // The meter.

  async begin() {
    this.#before = await this.reading();
  }

  async reading() {
    const { counts, wasm, lines, database, largestRead, woken, isBusy } = await this.server.state(this.object);
    return {
      ...counts,
      wasm: wasm.bytes,
      panics: wasm.count,
      warnings: lines.warn,
      errors: lines.error,
      database,
      largestRead,
      woken,
      /** It cannot sleep now. */
      awake: Number(isBusy),
    };
  }

  /** What the attack has spent until now. */
  async spent() {
    const now = await this.reading();
    const added = ([name, value]) => [name, ABSOLUTE.includes(name) ? value : value - this.#before[name]];
    return Object.fromEntries(Object.entries(now).map(added));
  }

  /** Waits until what was spent meets a condition. */
  async until(condition) {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const spent = await this.spent();
      if (condition(spent)) return;
      if (performance.now() > deadline) assert.fail(`it never came to ${condition}: ${JSON.stringify(spent)}`);
      await breathe();
    }
  }

  /** Waits until so many frames have arrived, or the sessions that sent them are over. */
  arrived(frames, sids) {
    return this.until(({ messages }) => messages >= frames || sids.every((sid) => this.isOver(sid)));
  }

  // The log.

  isOver(sid) {
    return this.server.logs.find({ event: 'disconnect', sid }).length > 0;
  }

  /** The session is over, or will be soon, and for this reason. */
  async endsWith(sid, reason) {
    assert.equal(await this.server.logs.reason(sid), reason);
  }

  // Time, which stands still otherwise.

  /** Time passes, and what is due by then happens. */
  async pass(ms) {
    const { now } = await this.server.state(this.object);
    await this.server.jump(now + ms);
    await this.server.fire(this.object);
  }

  /** The object falls asleep, with all that it had to save. */
  async sleep() {
    await this.pass(1_000);
    const { id } = await this.server.state(this.object);
    await this.server.sleep(id);
  }
}
