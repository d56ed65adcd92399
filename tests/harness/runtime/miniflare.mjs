// The built Worker as Miniflare runs it: behind its proxy as well, with assets before it, or
// configured otherwise. It offers what ../server.mjs lists, `entryUrl`, and `runtime`, which is
// Miniflare, with the Worker's bindings and triggers.

import path from 'node:path';
import { startMiniflare as engine } from '#dormouse-test/miniflare.mjs';
import { settled } from '../delays.mjs';
import { root } from '../root.mjs';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, OBJECT, builtWorker, objectId, startHere } from './built.mjs';

/** Starts a build with our object class. `worker` overrides how it is configured. */
export async function start({ build, port, assets, worker } = {}) {
  const runtime = await startHere(engine, builtWorker(build), {
    port,
    worker: {
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: COMPATIBILITY_FLAGS,
      durableObjects: { DORMOUSE: { className: OBJECT, useSQLite: true } },
      ...(assets && { assets: assetsBeforeWorker(assets) }),
      ...worker,
    },
  });
  const { url, wsUrl, entryUrl, host, port: taken, logs } = runtime;
  const evict = (sid, webSockets) => runtime.control('evict', { id: objectId(sid), webSockets });
  return {
    ...{ url, wsUrl, entryUrl, host, port: taken, logs },
    sleep: (sid) => evict(sid, 'hibernate'),
    cut: (sid) => evict(sid, 'close'),
    settled: () => settled(url),
    runtime: runtime.miniflare,
    stop: () => runtime.stop(),
  };
}

/** As in wrangler.toml: a file is served first, everything else is the Worker's. */
function assetsBeforeWorker(directory) {
  const routerConfig = { has_user_worker: true, invoke_user_worker_ahead_of_assets: false };
  return { directory: path.resolve(root, directory), binding: 'ASSETS', routerConfig };
}
