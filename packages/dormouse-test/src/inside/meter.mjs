// A meter around the Worker: every call that the platform makes to it, and every call by
// which it spends something, goes through here and is noted down.

import { instances } from './instances.mjs';
import { Timers, isReal, jump, never, realNow, time, translate, wallTime } from './clock.mjs';
import { ledgerOf, ledgers } from './ledgers.mjs';
import { settings } from './settings.mjs';

/** Requests to the Worker, and the time it took to pass them on. */
const front = { requests: 0, cpu: 0, ...settings.front };
/** Lines that were logged, by their level, whoever did. */
const lines = { log: 0, warn: 0, error: 0 };

/** What a Worker may export to be called for. */
const HANDLERS = ['fetch', 'scheduled', 'queue', 'email', 'tail', 'trace', 'test'];

/** The platform's bound for a row of SQLite, beyond which the local one goes. */
const LARGEST_ROW = 2_000_000;

/** Engine.IO's ping, which clients of revision 4 answer. */
const PING = '2';

/** The ledger of the object that was called last: what is asked of the platform now, it asks. */
let current;

const timers = new Timers(
  () => current?.pending,
  (pending, more) => {
    if (pending) pending.timers += more;
  },
);

const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (...message) {
  if (current) {
    current.counts.sent += 1;
    current.counts.bytesSent += sizeOf(message[0]);
    if (message[0] === PING) current.pinged.set(this, realNow());
  }
  return send.apply(this, message);
};

const fetchElsewhere = globalThis.fetch;
globalThis.fetch = async (resource, init) => {
  const ledger = current;
  if (!ledger) return fetchElsewhere(resource, init);
  ledger.counts.fetched += 1;
  ledger.counts.bytesFetched += sizeOf(init?.body);
  const { pending } = ledger;
  pending.fetching += 1;
  const over = once(() => (pending.fetching -= 1));
  // Whoever calls ends the request when nobody reads the answer any more.
  init?.signal?.addEventListener('abort', over);
  try {
    return await fetchElsewhere(resource, init);
  } catch (error) {
    over();
    throw error;
  } finally {
    if (!init?.signal) over();
  }
};

for (const level of Object.keys(lines)) {
  const write = console[level].bind(console);
  console[level] = (...values) => {
    lines[level] += 1;
    write(...values);
  };
}

/** What the Worker exports by default, with its requests counted. */
export function counted(Built) {
  const count = (pass) => {
    current = undefined;
    front.requests += 1;
    const began = wallTime();
    try {
      return pass();
    } finally {
      front.cpu += wallTime() - began;
    }
  };
  if (typeof Built === 'function') {
    return class extends Built {
      fetch(request) {
        return count(() => super.fetch(request));
      }
    };
  }
  const handlers = HANDLERS.filter((name) => typeof Built[name] === 'function');
  const bound = Object.fromEntries(handlers.map((name) => [name, Built[name].bind(Built)]));
  return bound.fetch ? { ...bound, fetch: (...all) => count(() => bound.fetch(...all)) } : bound;
}

/** What the harness asks the meter. */
export const reading = {
  whole,
  /** For the meter of the next start: the runtime is about to be killed. */
  keep: () => ({ start: time(), front, ledgers: reading.all() }),
  all: () => Object.fromEntries([...ledgers].map(([id, ledger]) => [id, shown(ledger)])),
  object: (id) => shown(ledgerOf(id)),
  jump: (to) => {
    const by = jump(to);
    for (const ledger of ledgers.values()) ledger.pass(by);
  },
  asleep: (id) => ledgerOf(id).fallAsleep(),
};

/** What one object has done, and when its timers are due. */
export const shown = (ledger) => ({ timer: timers.next(ledger.pending), ...ledger.report() });

/** What is not of one object, and how often any of them was called. */
export function whole() {
  const woken = [...ledgers.values()].reduce((sum, { counts }) => sum + counts.wakes + counts.fetches, 0);
  return { now: time(), front, lines, woken, wasm: instances() };
}

/** The class of the objects, with everything that comes in and goes out counted. */
export function metered(Built) {
  return class extends Built {
    #ledger;
    #sql;
    #answeredAt;

    constructor(state, env) {
      const ledger = ledgerOf(state.id);
      const answered = state.getWebSocketAutoResponseTimestamp.bind(state);
      watch(state, ledger);
      ledger.wake();
      current = ledger;
      ledger.measure(() => super(state, env));
      this.#ledger = ledger;
      this.#answeredAt = (socket) => answered(socket)?.getTime() ?? 0;
      this.#sql = state.storage.sql;
    }

    #enter(run) {
      current = this.#ledger;
      current.lastCall = time();
      try {
        return this.#ledger.measure(run);
      } finally {
        this.#ledger.database = this.#sql.databaseSize;
      }
    }

    fetch(request) {
      return this.#request(() => super.fetch(request));
    }

    dormouseCall(path, request) {
      return this.#request(() => super.dormouseCall(path, request));
    }

    dormouseWake(path) {
      return this.#request(() => super.dormouseWake(path));
    }

    /** Both kinds of calls are billed as a request. */
    async #request(run) {
      const { counts, pending } = this.#ledger;
      counts.fetches += 1;
      pending.requests += 1;
      try {
        return await this.#enter(run);
      } finally {
        pending.requests -= 1;
      }
    }

    /** What the simulated time has brought. */
    dormouseTestFire() {
      this.#enter(() => timers.run(this.#ledger.pending));
      if (this.#ledger.alarm !== null && this.#ledger.alarm <= time()) this.alarm();
    }

    /** How many WebSockets have been pinged, and neither answered nor closed. */
    dormouseTestPinged() {
      const { pinged } = this.#ledger;
      for (const [socket, at] of pinged) {
        if (socket.readyState !== WebSocket.OPEN || this.#answeredAt(socket) >= at) pinged.delete(socket);
      }
      return pinged.size;
    }

    alarm(...args) {
      this.#ledger.alarm = null;
      this.#ledger.counts.alarms += 1;
      return this.#enter(() => super.alarm(...args));
    }

    webSocketMessage(socket, message) {
      this.#ledger.counts.messages += 1;
      this.#ledger.pinged.delete(socket);
      return this.#enter(() => super.webSocketMessage(socket, message));
    }

    webSocketClose(socket, code, reason, wasClean) {
      this.#ledger.counts.closes += 1;
      return this.#enter(() => super.webSocketClose(socket, code, reason, wasClean));
    }

    webSocketError(socket, error) {
      this.#ledger.counts.closes += 1;
      return this.#enter(() => super.webSocketError(socket, error));
    }
  };
}

/** Puts the meter between an object and the platform. */
function watch(state, ledger) {
  const { storage } = state;
  const { sql } = storage;
  replace(state, 'getWebSocketAutoResponseTimestamp', (original, socket) => translate(original(socket)));
  replace(state, 'setWebSocketAutoResponse', (original, pair) => {
    ledger.paired = pair.request;
    original(pair);
  });
  replace(storage, 'setAlarm', (original, at) => {
    ledger.alarm = Number(at);
    ledger.counts.alarmsSet += 1;
    return ledger.call(original(isReal ? at : never()));
  });
  replace(storage, 'getAlarm', async (original) => {
    const alarm = await ledger.call(original());
    return isReal ? alarm : ledger.alarm;
  });
  replace(sql, 'exec', (original, ...args) => {
    ledger.counts.statements += 1;
    const bytes = args.slice(1).reduce((sum, value) => sum + sizeOf(value), 0);
    if (bytes > LARGEST_ROW) throw new Error('string or blob too big: SQLITE_TOOBIG');
    ledger.counts.bytesBound += bytes;
    const cursor = original(...args);
    ledger.cursors.push(cursor);
    replace(cursor, 'raw', (raw) => weigh(raw(), ledger));
    return cursor;
  });
  replace(storage, 'deleteAlarm', (original) => {
    ledger.alarm = null;
    return ledger.call(original());
  });
  replace(storage, 'deleteAll', async (original) => {
    // The alarm goes with it since compatibility date 2026-02-24.
    ledger.alarm = null;
    ledger.counts.deletions += 1;
    await ledger.call(original());
    ledger.database = sql.databaseSize;
  });
  for (const values of [storage, storage.kv]) watchValues(values, ledger);
}

/** Values by their keys, each of which is a row. */
function watchValues(values, ledger) {
  const keys = (key) => (typeof key === 'string' ? 1 : (key.length ?? Object.keys(key).length));
  for (const [name, kind] of [['get', 'rowsRead'], ['put', 'rowsWritten'], ['delete', 'rowsWritten']]) {
    replace(values, name, (original, key, ...more) => {
      ledger.counts[kind] += keys(key);
      return original(key, ...more);
    });
  }
  replace(values, 'list', (original, ...args) => {
    const found = original(...args);
    if (typeof found.then !== 'function') return counting(found, ledger);
    return found.then((entries) => {
      ledger.counts.rowsRead += entries.size;
      return entries;
    });
  });
}

function* counting(entries, { counts }) {
  for (const entry of entries) {
    counts.rowsRead += 1;
    yield entry;
  }
}

/** Rows that are taken all at once are in memory all at once. */
function weigh(rows, ledger) {
  replace(rows, 'toArray', (original) => {
    const taken = original();
    const bytes = taken.flat().reduce((sum, value) => sum + sizeOf(value), 0);
    ledger.largestRead = Math.max(ledger.largestRead, bytes);
    return taken;
  });
  return rows;
}

function replace(target, name, replacement) {
  const original = target[name].bind(target);
  Object.defineProperty(target, name, { value: (...args) => replacement(original, ...args) });
}

function once(run) {
  let ran = false;
  return () => {
    if (!ran) run();
    ran = true;
  };
}

/** Bytes of a binary value, characters of a text. */
function sizeOf(value) {
  return value?.byteLength ?? value?.length ?? 0;
}
