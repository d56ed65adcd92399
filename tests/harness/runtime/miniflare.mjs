// The built Worker as Miniflare runs it: behind its proxy as well, with assets before it, or
// configured otherwise. It offers what ../server.mjs lists, and `entryUrl`. Miniflare's
// control of objects is synchronous: while one is put to sleep, this process stands still.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from 'miniflare';
import { settled } from '../delays.mjs';
import { root } from '../root.mjs';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, OBJECT, builtFile, objectId } from './built.mjs';
import { Logs } from './logs.mjs';
import { endWithParent } from './parent.mjs';

const NAME = 'dormouse';

/**
 * Starts the test Worker (tests/worker), or another build with the same object class.
 * `worker` overrides how it is configured.
 */
export async function start({ build = 'tests/worker/build', port = 0, assets, worker } = {}) {
  const logs = new Logs();
  const { runtime, entry, direct } = await startMiniflare({
    name: NAME,
    port,
    onLog: ({ message }) => logs.write(message),
    modules: [
      module('ESModule', builtFile(build, 'index.js')),
      module('CompiledWasm', builtFile(build, 'index_bg.wasm')),
    ],
    modulesRoot: path.resolve(root, build),
    ...(assets && { assets: assetsBeforeWorker(assets) }),
    ...worker,
  });
  return face(runtime, logs, entry, direct);
}

/**
 * Starts a Worker with our object class. Returns its runtime, the URL of Miniflare's proxy
 * (`entry`) and that of the Worker itself (`direct`).
 */
export async function startMiniflare({ name, port = 0, onLog, ...worker }) {
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      host: '127.0.0.1',
      log: new Log(LogLevel.NONE),
      logRequests: false,
      handleStructuredLogs: onLog,
      workers: [
        {
          name,
          compatibilityDate: COMPATIBILITY_DATE,
          compatibilityFlags: COMPATIBILITY_FLAGS,
          durableObjects: { DORMOUSE: { className: OBJECT, useSQLite: true } },
          unsafeDirectSockets: [{ host: '127.0.0.1', port }],
          ...worker,
        },
      ],
    }),
  );
  // Miniflare kills workerd with SIGKILL, by its process id.
  endWithParent(() => runtime.dispose());
  try {
    return { runtime, entry: await runtime.ready, direct: await runtime.unsafeGetDirectURL(name) };
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}

/** A module as Miniflare takes it. */
export function module(type, file) {
  return { type, path: file, contents: readFileSync(file, type === 'ESModule' ? 'utf8' : undefined) };
}

/** As in wrangler.toml: a file is served first, everything else is the Worker's. */
function assetsBeforeWorker(directory) {
  const routerConfig = { has_user_worker: true, invoke_user_worker_ahead_of_assets: false };
  return { directory: path.resolve(root, directory), routerConfig };
}

function face(runtime, logs, entry, direct) {
  const evict = async (sid, webSockets) => {
    const id = objectId(sid);
    try {
      await runtime.unsafeEvictDurableObject(NAME, OBJECT, { id, webSockets });
      return true;
    } catch (error) {
      if (!/not currently running/.test(error.message)) throw error;
      return false;
    }
  };
  return {
    url: direct.origin,
    wsUrl: direct.origin.replace('http', 'ws'),
    entryUrl: entry.origin,
    host: direct.hostname,
    port: Number(direct.port),
    logs,
    sleep: (sid) => evict(sid, 'hibernate'),
    cut: (sid) => evict(sid, 'close'),
    settled,
    stop: () => runtime.dispose(),
  };
}
