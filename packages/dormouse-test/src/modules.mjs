// The modules that the runtime is given: those of the Worker, and what the harness has around
// them. Everything that the Worker exports is exported, its class of objects and its default
// with the harness around it.

import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const inside = new URL('inside/', import.meta.url);

/** The name under which the harness reaches what it has around the Worker. */
export const WATCH = 'DormouseTestWatch';

/** The module of the Worker that controls objects. */
export const CONTROL = 'control.mjs';

const ENTRY = 'entry.mjs';
const EXTENSION = 'extension.mjs';
const SETTINGS = 'settings.mjs';
/** The folder that the Worker's own modules are in, beside those of the harness. */
const WORKER = 'worker';

/** What a module is, by how its name ends. */
export const KINDS = {
  '.js': 'ESModule',
  '.mjs': 'ESModule',
  '.cjs': 'CommonJS',
  '.wasm': 'CompiledWasm',
  '.bin': 'Data',
  '.txt': 'Text',
  '.html': 'Text',
  '.sql': 'Text',
};

/**
 * Puts all modules into `directory`, and returns their names and types, the one to begin with
 * first. `folder` has the `files` of the Worker, whose first one it begins with; `className` is
 * its class of objects. `meter`: what they do is counted. `extension`: a module that has more
 * around `object` and `front`, and more to `watch`.
 */
export function layOut(directory, { folder, files, className, meter, extension }) {
  const write = (name, text) => writeFileSync(path.join(directory, name), text);
  const names = readdirSync(inside);
  for (const name of names) write(name, readFileSync(new URL(name, inside)));
  write(ENTRY, entry({ main: files[0], className, meter }));
  write(EXTENSION, extension ? readFileSync(extension) : '');
  for (const file of files) {
    const to = path.join(directory, WORKER, file);
    mkdirSync(path.dirname(to), { recursive: true });
    copyFileSync(path.join(folder, file), to);
  }
  return [
    ...[ENTRY, EXTENSION, SETTINGS, ...names.filter((name) => name !== CONTROL)].map((name) => ({ name, type: 'ESModule' })),
    ...files.map((name) => ({ name: `${WORKER}/${name}`, type: KINDS[path.extname(name)] })),
  ];
}

function entry({ main, className, meter }) {
  const built = JSON.stringify(`./${WORKER}/${main}`);
  return `
import './settings.mjs';
${meter ? `import { counted, metered, reading } from './meter.mjs';` : UNMETERED}
import Front, * as built from ${built};
import * as extension from './extension.mjs';
import { WorkerEntrypoint } from 'cloudflare:workers';
import { controlled, known } from './controlled.mjs';

export * from ${built};

const same = (it) => it;
const watch = { ...reading, known: () => [...known], ...extension.watch };

export default (extension.front ?? same)(counted(Front));

export class ${className} extends controlled((extension.object ?? same)(metered(built.${className}))) {}

export class ${WATCH} extends WorkerEntrypoint {
  ask(method, args) {
    return watch[method](...args);
  }
}
`;
}

const UNMETERED = `
const [counted, metered] = [(it) => it, (it) => it];
const reading = {};
`;

/**
 * Says to the Worker, before its start, what its time is, which globals a test sets, and what
 * the meter has kept.
 */
export function writeSettings(directory, { manual = false, start = 0, globals = {}, front = {}, ledgers = {} }) {
  const text = `
Object.assign(globalThis, ${JSON.stringify(globals)});
export const settings = ${JSON.stringify({ manual, start, front, ledgers })};
`;
  writeFileSync(path.join(directory, SETTINGS), text);
}
