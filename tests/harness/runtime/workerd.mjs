// The built Worker on workerd itself, without Miniflare: this process is never blocked by
// it, and may kill the runtime, restart it on the same storage and port, abort objects, or
// measure its memory. It offers what ../server.mjs lists, and:
//
//   pid               of workerd
//   sleepNamed(name), abortNamed(name)  do the same to the object of a name
//   abort(sid)        aborts the session's object: what it has in memory is lost
//   call(sid, method, ...args)  calls a method of the session's object, as another Worker
//                     with a binding could
//   kill()            sends SIGKILL to workerd: none of our code runs any more
//   restart(globals)  starts it on the same port and, with `storage`, the same rows; these
//                     globals are what a deploy has changed in the application
//   memory()          resident bytes of workerd
//   idOf(name)        the id of the object of a name
//   counts()          of each object that was ever there since the start, by its id: how
//                     often it was made or woken, called by another object or a route, how
//                     many of these calls were disturbed, and how often its alarm came
//   disturb(how, id)  what becomes of calls to the object of this id from now on, or of those
//                     to any object: `hangs`, `fails`, `is shaky` and others
//                     (workerd-configuration.mjs); nothing if it does not say how

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import workerd from 'workerd';
import { settled } from '../delays.mjs';
import { within } from '../wait.mjs';
import { builtFile, objectId } from './built.mjs';
import { Logs } from './logs.mjs';
import { endWithParent } from './parent.mjs';
import { CONTROL, ENTRY, HOST, configuration } from './workerd-configuration.mjs';

// workerd waits for timers and answers that are under way.
const LONGEST_EVICTION = 60_000;

const IN_MEMORY = '/dev/shm';
const ENOUGH = 1 << 30;

/**
 * `storage`: rows are kept in files, and so outlive the process. `crowded`: there will be
 * very many objects, and each of them waits for the disk some times when it is new; so the
 * files are in memory, where the machine has a file system for that. `tidy`: garbage is
 * collected early and often, so that memory that grows is memory that is held.
 * `variables`: those of the Worker. `flags`: more compatibility flags.
 */
export async function startWorkerd(options = {}) {
  const { build = 'tests/worker/build', storage = false, crowded = false, tidy = false } = options;
  const { variables = {}, flags = [] } = options;
  const runtime = new Runtime(build, { storage, tidy, variables, flags }, crowded ? roomy() : os.tmpdir());
  try {
    await runtime.restart();
    return runtime;
  } catch (error) {
    await runtime.stop();
    throw error;
  }
}

class Runtime {
  logs = new Logs();
  host = HOST;
  port = 0;
  #directory;
  #options;
  #controlPort;
  #process;

  constructor(build, options, parent) {
    this.#options = options;
    this.#directory = mkdtempSync(path.join(parent, 'dormouse-workerd-'));
    mkdirSync(path.join(this.#directory, 'storage'));
    for (const file of ['index.js', 'index_bg.wasm']) {
      copyFileSync(builtFile(build, file), path.join(this.#directory, file));
    }
    writeFileSync(path.join(this.#directory, 'entry.js'), ENTRY);
    writeFileSync(path.join(this.#directory, 'control.js'), CONTROL);
    endWithParent(() => this.stop());
    process.once('exit', () => this.pid && process.kill(this.pid, 'SIGKILL'));
  }

  get url() {
    return `http://${HOST}:${this.port}`;
  }

  get wsUrl() {
    return `ws://${HOST}:${this.port}`;
  }

  get pid() {
    return this.#process?.pid;
  }

  async restart(globals = {}) {
    const file = path.join(this.#directory, 'config.capnp');
    const assignment = `Object.assign(globalThis, ${JSON.stringify(globals)});`;
    writeFileSync(path.join(this.#directory, 'globals.js'), assignment);
    writeFileSync(file, configuration(this.#directory, this.#options, this.port));
    const args = ['serve', '--experimental', '--control-fd=3', file];
    const env = { ...process.env, TZ: 'UTC' };
    this.#process = spawn(workerd.default ?? workerd, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env });
    const trouble = [];
    this.#read(this.#process.stdout, trouble);
    this.#read(this.#process.stderr, trouble);
    const exited = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`workerd ended with ${code}: ${trouble.join('\n')}`);
    });
    exited.catch(() => {});
    const ports = await within(Promise.race([listening(this.#process.stdio[3]), exited]), 'workerd', 60_000);
    this.port = ports.get('http');
    this.#controlPort = ports.get('control');
  }

  /** One JSON object for each line that was logged; what is none is the runtime's own. */
  #read(stream, trouble) {
    createInterface({ input: stream }).on('line', (line) => {
      const message = structured(line) ?? line;
      if (trouble.length < 50) trouble.push(message);
      this.logs.write(message);
    });
  }

  async #control(what) {
    const options = { method: 'POST', body: JSON.stringify(what) };
    const asked = fetch(`http://${HOST}:${this.#controlPort}/`, options);
    const answer = await within(asked, `answer to ${what.what}`, LONGEST_EVICTION);
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${what.what}: ${text}`);
    return JSON.parse(text);
  }

  sleep(sid) {
    return this.#control({ what: 'evict', id: objectId(sid), webSockets: 'hibernate' });
  }

  sleepNamed(name) {
    return this.#control({ what: 'evict', name, webSockets: 'hibernate' });
  }

  abortNamed(name) {
    return this.#control({ what: 'abort', name });
  }

  cut(sid) {
    return this.#control({ what: 'evict', id: objectId(sid), webSockets: 'close' });
  }

  abort(sid) {
    return this.#control({ what: 'abort', id: objectId(sid) });
  }

  call(sid, method, ...args) {
    return this.#control({ what: 'call', id: objectId(sid), method, args });
  }

  idOf(name) {
    return this.#control({ what: 'id', name });
  }

  counts() {
    return this.#control({ what: 'counts' });
  }

  disturb(how, id = '') {
    return this.#control({ what: 'disturb', id, how });
  }

  settled() {
    return settled();
  }

  memory() {
    return residentKibi(this.pid) * 1024;
  }

  async kill() {
    const ending = this.#process;
    this.#process = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill('SIGKILL');
    await exited;
  }

  async stop() {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A directory in memory if there is one with enough room, else on the disk. */
function roomy() {
  const { bavail, bsize } = existsSync(IN_MEMORY) ? statfsSync(IN_MEMORY) : { bavail: 0, bsize: 0 };
  return bavail * bsize > ENOUGH ? IN_MEMORY : os.tmpdir();
}

function residentKibi(pid) {
  const file = `/proc/${pid}/status`;
  // Elsewhere than on Linux, `ps` knows; it is not on every Linux.
  if (!existsSync(file)) return Number(execFileSync('ps', ['-o', 'rss=', '-p', pid]));
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(file, 'utf8'))[1]);
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

function structured(line) {
  try {
    return JSON.parse(line).message;
  } catch {
    return undefined;
  }
}
