// workerd as Miniflare runs it, with the Worker and the one that controls its objects: with
// every binding that a Worker can have, and behind a proxy of Miniflare's that serves assets.

import path from 'node:path';
import { readFileSync } from 'node:fs';
import { CONTROL, WATCH } from './modules.mjs';
import { importMiniflare } from './tools.mjs';
import { HOST } from './workerd.mjs';

const NAME = 'dormouse';
const CONTROLLER = 'dormouse-test-control';

/**
 * Starts it in `directory`, where all modules are. `options.worker`: how the Worker is
 * configured, as Miniflare has it. `port` is that of the Worker itself, or 0. `onLine` gets
 * what it prints.
 */
export async function startMiniflare(directory, options, onLine) {
  const { port, modules, worker, className } = options;
  const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = await importMiniflare();
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      host: HOST,
      log: new Log(LogLevel.NONE),
      logRequests: false,
      cf: false,
      handleStructuredLogs: ({ message, level }) => onLine(message, level),
      resourcePersistencePath: path.join(directory, 'storage'),
      workers: [
        {
          ...worker,
          name: NAME,
          modules: modules.map((module) => loaded(directory, module)),
          modulesRoot: directory,
          unsafeDirectSockets: [{ host: HOST, port }],
        },
        {
          name: CONTROLLER,
          modules: [loaded(directory, { name: CONTROL, type: 'ESModule' })],
          modulesRoot: directory,
          compatibilityDate: worker.compatibilityDate,
          compatibilityFlags: ['unsafe_module'],
          durableObjects: isDeclared(worker, className) ? { OBJECTS: { className, scriptName: NAME, useSQLite: true } } : {},
          serviceBindings: { WATCH: { name: NAME, entrypoint: WATCH } },
          unsafeDirectSockets: [{ host: HOST, port: 0 }],
        },
      ],
    }),
  );
  const end = () => runtime.dispose();
  try {
    const entry = await runtime.ready;
    const [url, control] = await Promise.all([NAME, CONTROLLER].map((name) => runtime.unsafeGetDirectURL(name)));
    return { url: url.origin, control: control.origin, entry: entry.origin, miniflare: runtime, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Whether the Worker is configured to have objects of this class. */
function isDeclared({ durableObjects = {}, additionalUnboundDurableObjects: unbound = [] }, name) {
  return [...Object.values(durableObjects), ...unbound].some(({ className }) => className === name);
}

function loaded(directory, { name, type }) {
  const file = path.join(directory, name);
  const isText = type !== 'CompiledWasm' && type !== 'Data';
  return { type, path: file, contents: readFileSync(file, isText ? 'utf8' : undefined) };
}
