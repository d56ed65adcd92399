// The built Worker on workerd, by Miniflare's interface.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from 'miniflare';
import { delay } from '../wait.mjs';
import { Logs } from './logs.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
export const COMPATIBILITY_DATE = '2026-11-17';
const NAME = 'dormouse';
const OBJECT = 'Dormouse';

// The server saves a polling session at the latest 500 ms after its last change.
export const SAVED_AFTER = 500;

/** The test Worker (tests/worker), or another build with the same object class. */
export async function start({ build = 'tests/worker/build', port = 0, assets } = {}) {
  const logs = new Logs();
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      host: '127.0.0.1',
      log: new Log(LogLevel.NONE),
      logRequests: false,
      handleStructuredLogs: ({ message }) => logs.write(message),
      workers: [
        {
          name: NAME,
          compatibilityDate: COMPATIBILITY_DATE,
          modules: modules(path.resolve(root, build)),
          modulesRoot: path.resolve(root, build),
          durableObjects: { DORMOUSE: { className: OBJECT, useSQLite: true } },
          unsafeDirectSockets: [{ host: '127.0.0.1', port }],
          ...(assets && { assets: assetsBeforeWorker(assets) }),
        },
      ],
    }),
  );
  endWithParent(runtime);
  try {
    return face(runtime, logs, await runtime.ready, await runtime.unsafeGetDirectURL(NAME));
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}

/** As wrangler.toml has it: a file is served first, everything else is the Worker's. */
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
    settled: () => delay(SAVED_AFTER + 200),
    // Miniflare kills workerd with SIGKILL, by its process id.
    stop: () => runtime.dispose(),
  };
}

/** Whoever started these tests may be killed: then nobody wants the runtime any more. */
function endWithParent(runtime) {
  const parent = process.ppid;
  const watch = () => process.ppid !== parent && runtime.dispose().finally(() => process.exit(1));
  setInterval(watch, 1_000).unref();
}

/** A sid begins with its object's id: 32 bytes as 43 characters of base64url. */
export function objectId(sid) {
  return Buffer.from(sid.slice(0, 43), 'base64url').toString('hex');
}

function modules(build) {
  const script = path.join(build, 'index.js');
  if (!existsSync(script)) {
    throw new Error(`${script} is missing: npm test builds it`);
  }
  return [
    { type: 'ESModule', path: script, contents: readFileSync(script, 'utf8') },
    {
      type: 'CompiledWasm',
      path: path.join(build, 'index_bg.wasm'),
      contents: readFileSync(path.join(build, 'index_bg.wasm')),
    },
  ];
}
