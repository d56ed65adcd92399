// Starts the server that a test file talks to: `const server = await startServer();`
// and `after(() => server.stop())`. Both targets (target.mjs) offer the same:
//
//   url, wsUrl        where clients connect (the Worker itself, without a proxy)
//   logs              the structured log (logs.mjs of the package dormouse-test)
//   sleep(sid)        puts the session's object to sleep, its WebSockets hibernating;
//                     false if it was asleep already
//   cut(sid)          the same, but its WebSockets are closed, as a deploy does
//   settled()         resolves once polling sessions have certainly been saved
//   stop()            ends every process that was started
//
// Around it, by folder:
//
//   runtime/          the built Worker on workerd, through Miniflare or on its own, by the
//                     package dormouse-test, with what these tests have around its objects
//   meter/            the same with the package's meter, and objects that tests name
//   reference/        npm's servers with the same application, to test the tests
//   wire/             HTTP and WebSocket without a client library
//   engine/           Engine.IO without a client library: sessions, payloads, assertions
//   socket/           Socket.IO without a client library: packets, clients, namespaces
//   clients/          the stock clients, and the scenarios each of them must pass

import { target } from './target.mjs';

/**
 * `build`: another build than the test Worker's, with the same object class. `entry`: behind
 * Miniflare's proxy too, whose address is `entryUrl`; `assets`: a directory that is served
 * before the Worker; `worker`: what its configuration overrides;
 * `variables`: the Worker's, `crowded`: with very many objects, and `observed` and `flags`
 * (runtime/workerd.mjs), where it runs on workerd alone.
 */
export async function startServer(options = {}) {
  const start = target === 'reference' ? await reference() : await runtime(options);
  return start(options);
}

async function reference() {
  return (await import('./reference/server.mjs')).start;
}

/** Miniflare only for what workerd alone does not have: it takes longer to start. */
async function runtime({ entry, assets, worker }) {
  if (entry || assets || worker) return (await import('./runtime/miniflare.mjs')).start;
  const { startWorkerd } = await import('./runtime/workerd.mjs');
  // Without storage, what is evicted would lose its rows.
  return ({ build, variables, crowded, observed, flags }) =>
    startWorkerd({ build, variables, crowded, observed, flags, storage: true });
}
