// The servers under measurement, each a process of its own on a free port:
//
//   name, url      what it is called and where it listens
//   cpu()          seconds of processor time that it has used
//   memory()       bytes of it that are resident
//   stop()

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import workerd from 'workerd';
import { bundle } from '../../tests/harness/typescript.mjs';

const folder = fileURLToPath(new URL('..', import.meta.url));
// Those of wrangler.toml, for every Worker that is measured.
const COMPATIBILITY_DATE = '2026-08-15';
const COMPATIBILITY_FLAGS = ['enable_request_signal', 'no_web_socket_compression'];
const PAGE = 4_096;

/** A build of ours, in Rust or in TypeScript. */
const built = (build) => ({
  modules: [
    ['index.js', 'esModule', path.join(build, 'index.js')],
    ['index_bg.wasm', 'wasm', path.join(build, 'index_bg.wasm')],
  ],
  binding: 'DORMOUSE',
  object: 'Dormouse',
});
const OURS = built(path.join(folder, 'worker/build'));

/** A package of its own, so that nobody else has to install it. */
export const REDIS = path.join(folder, 'servers/redis');

/** The benchmarks' application on Dormouse, built by `tools/build.mjs`. */
export function startOurs() {
  return startWorkerd('dormouse', OURS);
}

/** The same in TypeScript, with the package as it is published. */
export async function startTypeScript() {
  return startWorkerd('dormouse-io', built(await bundle('benches/servers/typescript.ts')));
}

/** The same by hand, as little as possible. */
export function startLimit() {
  return startWorkerd('the limit', {
    modules: [['limit.mjs', 'esModule', path.join(folder, 'servers/limit.mjs')]],
    binding: 'LIMIT',
    object: 'Limit',
  });
}

/** The same on npm's socket.io. */
export async function startNode() {
  const child = spawn(process.execPath, [path.join(folder, 'servers/node.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const { port } = await firstLine(child, child.stdout);
  return face('socket.io', child, port);
}

/** Dormouse in many objects, whose hubs have rows. */
export function startObjects() {
  return startWorkerd('dormouse', { ...OURS, storage: true });
}

/** npm's socket.io on so many processes that are one server by Redis. */
export async function startRedis(count = 2) {
  const { directory, goesWith } = temporary();
  const socket = path.join(directory, 'redis');
  // It keeps nothing.
  const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no'];
  const redis = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: directory });
  goesWith(redis);
  await said(redis, /ready to accept connections/i);
  const processes = [face('redis', redis)];
  for (let number = 0; number < count; number += 1) {
    const child = spawn(process.execPath, [path.join(REDIS, 'server.mjs'), socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const { port } = await firstLine(child, child.stdout);
    processes.push(face('socket.io', child, port));
  }
  return {
    name: `socket.io on ${count} processes with Redis`,
    ports: processes.slice(1).map(({ port }) => port),
    cpu: () => processes.reduce((sum, { cpu }) => sum + cpu(), 0),
    memory: () => processes.reduce((sum, { memory }) => sum + memory(), 0),
    stop: () => Promise.all(processes.map(({ stop }) => stop())),
  };
}

/** A Worker on the runtime itself: nothing between it and the clients. */
export async function startWorkerd(name, { modules, binding, object, storage = false, args = [] }) {
  const { directory, goesWith } = temporary();
  const config = path.join(directory, 'config.capnp');
  mkdirSync(path.join(directory, 'storage'));
  writeFileSync(config, capnp({ directory, modules, binding, object, storage }));
  const child = spawn(
    workerd.default,
    ['serve', '--experimental', '--control-fd=3', ...args, config],
    { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] },
  );
  goesWith(child);
  const { port } = await firstLine(child, child.stdio[3], ({ event }) => event === 'listen');
  return face(name, child, port);
}

function capnp({ directory, modules, binding, object, storage }) {
  const embedded = modules.map(([name, kind, file]) => {
    const relative = path.relative(directory, file);
    return `(name = "${name}", ${kind} = embed "${relative}")`;
  });
  const durable = object
    ? `durableObjectNamespaces = [(className = "${object}", uniqueKey = "bench", enableSql = true)],
       durableObjectStorage = ${storage ? '(localDisk = "storage")' : '(inMemory = void)'},
       bindings = [(name = "${binding}", durableObjectNamespace = (className = "${object}"))],`
    : '';
  const disk = `(name = "storage", disk = (path = "${directory}/storage", writable = true)),`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${storage ? disk : ''} (name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${embedded.join(', ')}],
  ${durable}
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = ${JSON.stringify(COMPATIBILITY_FLAGS)},
);
`;
}

/** A directory that is gone when its process has ended, or this one does. */
function temporary() {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'dormouse-bench-'));
  const tidy = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', tidy);
  const goesWith = (child) =>
    child.once('exit', () => {
      process.off('exit', tidy);
      tidy();
    });
  return { directory, goesWith };
}

function face(name, child, port) {
  const stop = () => child.kill('SIGKILL');
  process.once('exit', stop);
  child.once('exit', () => process.off('exit', stop));
  return {
    name,
    pid: child.pid,
    url: `http://127.0.0.1:${port}`,
    port,
    cpu: () => cpuSeconds(child.pid),
    memory: () => residentBytes(child.pid),
    stop: () => new Promise((resolve) => child.once('exit', resolve) && stop()),
  };
}

/** A line of the text that a process prints. */
function said(child, pattern) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended at once (${code})`)));
    createInterface({ input: child.stdout }).on('line', (line) => pattern.test(line) && resolve());
  });
}

/** The first line of JSON that a process prints, or the first that fits. */
function firstLine(child, stream, fits = () => true) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended at once (${code})`)));
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => {
      const message = JSON.parse(line);
      if (fits(message)) resolve(message);
    });
  });
}

/** Of all threads, to the nanosecond; the ticks of /proc/pid/stat are too coarse. */
function cpuSeconds(pid) {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const [onCpu] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
    nanoseconds += Number(onCpu);
  }
  return nanoseconds / 1e9;
}

function residentBytes(pid) {
  const [, resident] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
  return Number(resident) * PAGE;
}
