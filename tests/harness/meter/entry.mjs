// The built Worker with a meter in front of it. Its Durable Object class is the
// one that users deploy; every call that the platform makes to it, and every call
// by which it spends something, goes through here and is noted down.
//
// Requests below /meter/ are the harness's: they move the time and read the meter.
// A client's request names the object it wants to be in by the query `object`.

import { DurableObject } from 'cloudflare:workers';
import { instances } from './instances.mjs';
import Built, { Dormouse as BuiltObject } from '../../worker/build/index.js';
import { Timers, isReal, jump, never, time, translate, wallTime } from './clock.mjs';
import { Ledger } from './ledger.mjs';

const METER = '/meter/';

const ledgers = new Map();
/** The ledgers by the names that the harness gives to its objects. */
const named = new Map();
/** Requests to the Worker, and the time it took to pass them on. */
const front = { requests: 0, cpu: 0 };
/** Lines that were logged, by their level, whoever did. */
const lines = { log: 0, warn: 0, error: 0 };

/** The platform's bound for a row of SQLite, beyond which the local one goes. */
const LARGEST_ROW = 2_000_000;

/** The object that was called last: what is asked of the platform now, it asks. */
let current;

const timers = new Timers(
  () => current,
  (ledger, more) => {
    if (ledger) ledger.timers += more;
  },
);

const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (...message) {
  if (current) {
    current.counts.sent += 1;
    current.counts.bytesSent += sizeOf(message[0]);
  }
  return send.apply(this, message);
};

const fetchElsewhere = globalThis.fetch;
globalThis.fetch = async (resource, init) => {
  const ledger = current;
  if (!ledger) return fetchElsewhere(resource, init);
  ledger.counts.fetched += 1;
  ledger.counts.bytesFetched += sizeOf(init?.body);
  ledger.fetching += 1;
  const over = once(() => (ledger.fetching -= 1));
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

export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (url.pathname.startsWith(METER)) {
      return Response.json((await meter(url, env)) ?? null);
    }
    const worker = new Built(context, placing(env, url.searchParams.get('object')));
    front.requests += 1;
    const began = wallTime();
    const response = worker.fetch(request);
    front.cpu += wallTime() - began;
    return response;
  },
};

/** The Worker's bindings, by which new sessions get into the object of that name. */
function placing(env, object) {
  const objects = env.DORMOUSE;
  const idFromName = (name) => {
    // The name ends with the shard, which is chosen at random.
    const id = objects.idFromName(name.replace(/\S+$/, object));
    named.set(object, ledgerOf(id));
    return id;
  };
  return {
    ...env,
    DORMOUSE: {
      idFromName,
      idFromString: (id) => objects.idFromString(id),
      newUniqueId: () => {
        const id = objects.newUniqueId();
        named.set(object, ledgerOf(id));
        return id;
      },
      get: (id) => objects.get(id),
    },
  };
}

function ledgerOf(id) {
  const key = id.toString();
  if (!ledgers.has(key)) ledgers.set(key, new Ledger(key));
  return ledgers.get(key);
}

async function meter(url, env) {
  const ledger = named.get(url.searchParams.get('object'));
  switch (url.pathname.slice(METER.length)) {
    case 'whole':
      return whole();
    case 'all':
      return Object.fromEntries([...ledgers].map(([id, each]) => [id, shown(each)]));
    case 'jump': {
      const by = jump(Number(url.searchParams.get('to')));
      for (const each of ledgers.values()) each.pass(by);
      return undefined;
    }
    case 'fire': {
      const object = env.DORMOUSE.get(env.DORMOUSE.idFromString(ledger.id));
      await object.fetch(url);
      return undefined;
    }
    default:
      return { ...whole(), ...shown(ledger) };
  }
}

/** What one object has done, and when its timers are due. */
const shown = (ledger) => ({ timer: timers.next(ledger), ...ledger.report() });

/** What is not of one object, and how often any of them was called. */
function whole() {
  const woken = [...ledgers.values()].reduce((sum, { counts }) => sum + counts.wakes + counts.fetches, 0);
  return { now: time(), front, lines, woken, wasm: instances() };
}

/** The Durable Object, with everything that comes in and goes out counted. */
export class Dormouse extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.ledger = ledgerOf(state.id);
    watch(state, this.ledger);
    this.sql = state.storage.sql;
    this.ledger.counts.wakes += 1;
    this.inner = this.#enter(() => new BuiltObject(state, env));
  }

  #enter(run) {
    current = this.ledger;
    try {
      return this.ledger.measure(run);
    } finally {
      this.ledger.database = this.sql.databaseSize;
    }
  }

  fetch(request) {
    if (new URL(request.url).pathname.startsWith(METER)) return this.#fire();
    return this.#request(() => this.inner.fetch(request));
  }

  dormouseCall(path, request) {
    return this.#request(() => this.inner.dormouseCall(path, request));
  }

  dormouseWake(path) {
    return this.#request(() => this.inner.dormouseWake(path));
  }

  /** Both kinds of calls are billed as a request. */
  async #request(run) {
    this.ledger.counts.fetches += 1;
    this.ledger.requests += 1;
    try {
      return await this.#enter(run);
    } finally {
      this.ledger.requests -= 1;
    }
  }

  /** What the simulated time has brought. */
  #fire() {
    this.#enter(() => timers.run(this.ledger));
    if (this.ledger.alarm !== null && this.ledger.alarm <= time()) this.alarm();
    return new Response();
  }

  alarm() {
    this.ledger.alarm = null;
    this.ledger.counts.alarms += 1;
    this.#enter(() => this.inner.alarm());
  }

  webSocketMessage(socket, message) {
    this.ledger.counts.messages += 1;
    this.#enter(() => this.inner.webSocketMessage(socket, message));
  }

  webSocketClose(socket, code, reason, wasClean) {
    this.ledger.counts.closes += 1;
    this.#enter(() => this.inner.webSocketClose(socket, code, reason, wasClean));
  }

  webSocketError(socket, error) {
    this.ledger.counts.closes += 1;
    this.#enter(() => this.inner.webSocketError(socket, error));
  }
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
  for (const name of ['get', 'put', 'delete', 'list']) {
    replace(storage, name, () => {
      throw new Error(`${name} is not counted yet`);
    });
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
