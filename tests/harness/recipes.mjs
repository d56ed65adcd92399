// The servers of examples/recipes, with stock clients, awake and asleep between any two
// steps.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Player, newest } from './clients/socket.mjs';
import { root } from './root.mjs';
import { startServer } from './server.mjs';

const BUILD = 'examples/recipes/build';

/** What wrangler.toml there binds, for Miniflare. */
export const bindings = {
  kvNamespaces: ['SESSIONS'],
  d1Databases: ['SCORES'],
  r2Buckets: ['FILES'],
  queueProducers: { NOTICES: 'notices' },
  queueConsumers: { notices: { maxBatchTimeout: 0, retryDelay: 0 } },
};

/** Returns a function that makes the tables of a server's D1 database, from the migrations in a folder. */
export function migrate(binding, folder) {
  const files = readdirSync(path.join(root, folder)).sort();
  return async ({ runtime }) => {
    const database = await runtime.getD1Database(binding);
    // It takes a statement for each line.
    const line = (file) => readFileSync(path.join(root, folder, file), 'utf8').replace(/^--.*\n/gm, '').replace(/(?<!;)\n/g, ' ');
    for (const file of files) await database.exec(line(file));
  };
}

/**
 * Defines a test with the server on this path. Its body gets `server`; `open(options)`, which
 * connects a client; and `rest`, which is called before each step of a client. `options` are
 * those of startServer.
 */
export function awake(name, path, body, options) {
  define(`${name}, awake`, path, body, options, () => {});
}

/** The same, with all objects put to sleep before each step. */
export function asleep(name, path, body, options) {
  let slept = false;
  const sleep = async (server, visitors) => {
    for (const { sid } of visitors) if (sid && (await server.sleep(sid))) slept = true;
  };
  define(`${name}, asleep between any two steps`, path, body, options, sleep, () => assert.ok(slept));
}

/** Both. */
export function awakeAndAsleep(...test) {
  awake(...test);
  asleep(...test);
}

function define(name, path, body, options, sleep, check = () => {}) {
  test(name, async (t) => {
    const server = await startServer({ build: BUILD, ...options });
    t.after(() => server.stop());
    const visitors = [];
    t.after(() => visitors.forEach((visitor) => visitor.close()));
    const rest = () => sleep(server, visitors);
    const open = async (more) => {
      await rest();
      const visitor = new Visitor(rest, server, { path, ...more });
      visitors.push(visitor);
      await visitor.connected();
      return visitor;
    };
    await body({ server, open, rest });
    check();
  });
}

/** A client that hears these events from the beginning. */
class Visitor extends Player {
  #rest;

  constructor(rest, server, { hears = [], ...options }) {
    super(server, newest, { transports: ['websocket'], ...options });
    this.#rest = rest;
    this.listen(...hears);
  }

  /** The value of the acknowledgement. */
  async ask(...event) {
    await this.#rest();
    const [value] = await super.ask(...event);
    return value;
  }

  /** The first argument of the next such event: the last one may be the offset of recovery. */
  async hear(event) {
    const [value] = await this.next(event);
    return value;
  }

  async leave() {
    await this.#rest();
    this.close();
  }

  /** Loses the connection, as in a tunnel. */
  async lose() {
    await this.#rest();
    this.socket.io.engine.close();
  }
}
