// All that is measured, side by side.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { broadcasts } from './scenarios/broadcasts.mjs';
import { measureCrowds } from './scenarios/crowds.mjs';
import { messages } from './scenarios/messages.mjs';
import { measureObjects } from './scenarios/objects.mjs';
import { measurePauses } from './scenarios/pauses.mjs';
import { measureStart } from './scenarios/start.mjs';
import { compare, measure } from './harness/measure.mjs';
import {
  startLimit,
  startNode,
  startObjects,
  startOurs,
  startRedis,
  startTypeScript,
} from './harness/processes.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const FULL = { rounds: 7, ms: 400, sizes: [10, 1_000], sleeps: 5, starts: 15 };
const QUICK = { rounds: 3, ms: 80, sizes: [10, 1_000], sleeps: 1, starts: 3 };
const starts = { ours: startOurs, limit: startLimit, node: startNode };
const startsOfTypeScript = { ours: startTypeScript, limit: startLimit, rust: startOurs };

/**
 * What the servers cost, in messages and broadcasts whose names contain `only`; with
 * `typescript`, what the application in TypeScript costs beside the one in Rust.
 */
export async function benchServers({ quick = false, only = '', typescript = false, onProgress = () => {} } = {}) {
  const servers = {};
  const rows = [];
  try {
    const chosen = Object.entries(typescript ? startsOfTypeScript : starts);
    for (const [target, start] of chosen) servers[target] = await start();
    const names = Object.fromEntries(Object.entries(servers).map(([target, { name }]) => [target, name]));
    const isServed = ({ name, targets }) => name.includes(only) && (!typescript || targets.includes('rust'));
    for (const scenario of [...messages, ...broadcasts].filter(isServed)) {
      onProgress(scenario.name);
      const results = await measure(scenario, servers, quick ? QUICK : FULL);
      rows.push(...compare(scenario.name, scenario.unit, results, names));
    }
  } finally {
    for (const server of Object.values(servers)) await server.stop();
  }
  return rows;
}

/** What many idle clients cost: the largest crowd is not in the sample. */
export function benchCrowds({ quick = false, largest, onProgress = () => {} } = {}) {
  const extent = quick ? QUICK : { ...FULL, sizes: [...FULL.sizes, largest] };
  return measureCrowds(starts, { ...extent, onProgress });
}

/** How long others wait while an object is busy with all of its clients. */
export function benchPauses({ quick = false, largest, onProgress = () => {} } = {}) {
  const extent = quick ? { ...QUICK, sizes: [1_000], pulses: 1 } : { ...FULL, sizes: [1_000, largest], pulses: 3 };
  // Without a disk, the runtime has no alarms.
  return measurePauses({ ours: startOurs, limit: startLimit, withAlarms: startObjects }, { ...extent, onProgress });
}

/** What a room in many objects costs, beside several processes with Redis. */
export function benchObjects({ quick = false, largest, onProgress = () => {} } = {}) {
  const extent = quick ? { ...QUICK, sizes: [1_000] } : { ...FULL, sizes: [1_000, largest] };
  return measureObjects({ ours: startObjects, redis: startRedis }, { ...extent, onProgress });
}

/** How long the playground takes to start, and what a message costs inside. */
export async function benchWasm({ quick = false, build, onProgress = () => {} }) {
  const rows = await measureStart(build, { rounds: (quick ? QUICK : FULL).starts, onProgress });
  onProgress('inside the wasm');
  const ours = await inside(path.join(folder, 'worker/build/index.js'), 'Dormouse');
  const limit = await inside(path.join(folder, 'servers/limit.mjs'), 'Limit');
  for (const [name, nanoseconds] of Object.entries(ours)) {
    const peer = limit[name] / 1_000;
    const mine = nanoseconds / 1_000;
    rows.push({ name: `inside: ${name}`, unit: 'µs', ours: mine, peer, ratio: peer / mine, peer_name: 'the limit' });
  }
  return rows;
}

async function inside(file, name) {
  const script = path.join(folder, 'harness/inside.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script, file, name]);
  return JSON.parse(stdout);
}
