// workerd on its own, with the Worker and the one that controls its objects: as little as a
// Worker needs that has objects, variables, and nothing else. This process may kill it at any
// time, and start it again on the same rows.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { atExit } from './at-exit.mjs';
import { CONTROL, WATCH } from './modules.mjs';
import { workerd } from './tools.mjs';
import { within } from './wait.mjs';

export const HOST = '127.0.0.1';
/** The header that is a request's `cf`. */
export const CF = 'dormouse-test-cf';

const START = 60_000;
const OBSERVER = 'observer.mjs';

const KINDS = { ESModule: 'esModule', CommonJS: 'commonJsModule', CompiledWasm: 'wasm', Text: 'text', Data: 'data' };

/**
 * Starts it in `directory`, where all modules are. `port`: that of the Worker, or 0.
 * `storage`: rows are kept in files, and so outlive the process. `tidy`: garbage is collected
 * early and often, so that memory that grows is memory that is held. `observer`: a module, the
 * Worker's Tail Worker, whose entrypoint `Dataset` is its binding ANALYTICS. `onLine` gets what
 * it prints, and how serious that is.
 */
export async function startWorkerd(directory, options, onLine) {
  const file = path.join(directory, 'config.capnp');
  if (options.observer) copyFileSync(options.observer, path.join(directory, OBSERVER));
  writeFileSync(file, configuration(directory, options));
  const args = ['serve', '--experimental', '--control-fd=3', file];
  const env = { ...process.env, TZ: 'UTC' };
  const program = spawn(workerd(), args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env });
  const kill = () => program.kill('SIGKILL');
  const forget = atExit(kill);
  const trouble = [];
  for (const stream of [program.stdout, program.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      const { message, level } = structured(line) ?? { message: line };
      if (trouble.length < 50) trouble.push(message);
      onLine(message, level);
    });
  }
  const exited = once(program, 'exit');
  exited.then(forget);
  const over = exited.then(([code]) => {
    throw new Error(`workerd ended with ${code}: ${trouble.join('\n')}`);
  });
  over.catch(() => {});
  const end = async () => {
    kill();
    await exited;
  };
  try {
    const ports = await within(Promise.race([listening(program.stdio[3]), over]), 'workerd', START);
    const [url, control] = ['http', 'control'].map((name) => `http://${HOST}:${ports.get(name)}`);
    return { url, control, pid: program.pid, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The ports that workerd tells on its control pipe, once it has all of them. */
function listening(pipe) {
  const ports = new Map();
  return new Promise((resolve) => {
    createInterface({ input: pipe }).on('line', (line) => {
      const { event, socket, port } = JSON.parse(line);
      if (event === 'listen') ports.set(socket, port);
      if (ports.size === 2) resolve(ports);
    });
  });
}

/** What the runtime has to say itself may be no JSON. */
function structured(line) {
  try {
    const logged = JSON.parse(line);
    return typeof logged?.message === 'string' ? logged : undefined;
  } catch {
    return undefined;
  }
}

/** A variable as a binding: text, or what TOML has besides, as JSON. */
function binding([name, value]) {
  const [type, text] = typeof value === 'string' ? ['text', value] : ['json', JSON.stringify(value)];
  return `(name = "${name}", ${type} = ${JSON.stringify(text)}),`;
}

/** A module as workerd takes it, from a file of the same name. */
const module = ({ name, type }) => `(name = "${name}", ${KINDS[type]} = embed "${name}"),`;

/** The configuration. The Worker reaches servers on this machine and no others. */
function configuration(directory, { port, modules, storage, tidy, observer, variables, className, date, flags }) {
  const disk = `(name = "storage", disk = (path = "${directory}/storage", writable = true)),`;
  return `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  logging = (structuredLogging = true),
  v8Flags = [${tidy ? '"--stress-compaction"' : ''}],
  services = [
    ${storage ? disk : ''}
    (name = "dormouse", worker = .dormouse),
    (name = "control", worker = .control),
    ${observer ? '(name = "observer", worker = .observer),' : ''}
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [
    (name = "http", address = "${HOST}:${port}", http = (cfBlobHeader = "${CF}"), service = "dormouse"),
    (name = "control", address = "${HOST}:0", http = (), service = "control"),
  ],
);

const dormouse :Workerd.Worker = (
  compatibilityDate = "${date}",
  compatibilityFlags = ${JSON.stringify(flags)},
  modules = [
    ${modules.map(module).join('\n    ')}
  ],
  durableObjectNamespaces = [(className = "${className}", uniqueKey = "dormouse-test", enableSql = true)],
  durableObjectStorage = ${storage ? '(localDisk = "storage")' : '(inMemory = void)'},
  bindings = [
    (name = "DORMOUSE", durableObjectNamespace = "${className}"),
    ${observer ? '(name = "ANALYTICS", service = (name = "observer", entrypoint = "Dataset")),' : ''}
    ${Object.entries(variables).map(binding).join(' ')}
  ],
  ${observer ? 'tails = ["observer"], streamingTails = ["observer"],' : ''}
);
${observer ? OBSERVING : ''}

const control :Workerd.Worker = (
  compatibilityDate = "${date}",
  compatibilityFlags = ["unsafe_module"],
  modules = [(name = "${CONTROL}", esModule = embed "${CONTROL}")],
  bindings = [
    (name = "OBJECTS", durableObjectNamespace = (className = "${className}", serviceName = "dormouse")),
    (name = "WATCH", service = (name = "dormouse", entrypoint = "${WATCH}")),
  ],
);
`;
}

/** The Tail Worker. Spans are streamed to those alone that ask for what is experimental. */
const OBSERVING = `
const observer :Workerd.Worker = (
  compatibilityDate = "2026-08-15",
  compatibilityFlags = ["experimental"],
  modules = [(name = "${OBSERVER}", esModule = embed "${OBSERVER}")],
);`;
