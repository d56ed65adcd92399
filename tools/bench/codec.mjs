// Measures the codec natively with criterion, beside engineioxide's and
// socketioxide's, and beside the JavaScript parsers on Node: the same inputs, the same
// work. `node tools/bench/codec.mjs [--quick]` prints a table.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Failure, capture, isMain, main, root } from '../shell.mjs';
import { modernNode } from '../setup.mjs';

const workspace = path.join(root, 'benches', 'codec');

/** The seconds for each side of each benchmark, and the number of runs. */
const FULL = { rounds: 3, warmUp: 0.05, measurement: 0.15, samples: 15 };
const QUICK = { rounds: 1, warmUp: 0.02, measurement: 0.08, samples: 10 };

/** The peer of a benchmark, by the first word of its name. */
const PEERS = {
  engine: 'engineioxide-core',
  payload: 'engineioxide-core',
  socket: 'socketioxide-parser-common',
  msgpack: 'socketioxide-parser-msgpack',
};

/**
 * Measures everything. Resolves to a list of `{ name, unit, ours, peer, ratio,
 * peer_name }`: nanoseconds for one packet or payload, medians; a ratio above 1
 * means that ours takes less. `onProgress` is given a description of each step.
 */
export async function benchCodec({ quick = false, onProgress = () => {} } = {}) {
  const ours = new Map();
  const results = [];
  for (const [name, sides] of await benchRust(quick ? QUICK : FULL, onProgress)) {
    ours.set(name, sides.ours);
    const [kind] = name.split(' ');
    results.push(result(name, sides.ours, sides.peer, `${PEERS[kind]} ${lockedVersion(PEERS[kind])}`));
  }
  onProgress('codec: the parsers on Node');
  for (const { name, peer_name, peer } of await benchJavaScript(quick)) {
    if (!ours.has(name)) throw new Failure(`nothing of ours is called “${name}”`);
    results.push(result(name, ours.get(name), peer, peer_name));
  }
  return results;
}

function result(name, ours, peer, peer_name) {
  return { name: `codec: ${name}`, unit: 'ns', ours, peer, ratio: peer / ours, peer_name };
}

function lockedVersion(crate) {
  const lock = readFileSync(path.join(workspace, 'Cargo.lock'), 'utf8');
  return lock.match(new RegExp(`name = "${crate}"\nversion = "([^"]+)"`))?.[1];
}

/** Returns both sides of every benchmark: the median of the rounds' medians. */
async function benchRust({ rounds, warmUp, measurement, samples }, onProgress) {
  const target = path.resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');
  const seen = new Map();
  onProgress('codec: building');
  await cargoBench(target, ['--no-run']);
  for (let round = 1; round <= rounds; round++) {
    onProgress(`codec: round ${round} of ${rounds}`);
    const started = Date.now();
    const times = ['--warm-up-time', warmUp, '--measurement-time', measurement];
    await cargoBench(target, ['--', '--noplot', ...times, '--sample-size', samples]);
    for (const { name, side, median } of readEstimates(path.join(target, 'criterion'), started)) {
      if (!seen.has(name)) seen.set(name, { ours: [], peer: [] });
      seen.get(name)[side].push(median);
    }
  }
  return [...seen].map(([name, { ours, peer }]) => [name, { ours: middle(ours), peer: middle(peer) }]);
}

function cargoBench(target, args) {
  const options = ['bench', '--manifest-path', path.join(workspace, 'Cargo.toml'), '--locked', '--quiet'];
  return new Promise((resolve, reject) => {
    const child = spawn('cargo', [...options, ...args.map(String)], {
      env: { ...process.env, CARGO_TARGET_DIR: target },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stdout.resume();
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
    child.on('error', ({ code }) => reject(new Failure(`\`cargo\` cannot be started (${code})`)));
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Failure(`the codec's benchmarks failed:\n${errors}`));
    });
  });
}

/** Returns what criterion has written since then, in the order of measurement. */
function readEstimates(directory, since) {
  const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
  return readdirSync(directory)
    .flatMap((group) => ['ours', 'peer'].map((side) => path.join(directory, group, side, 'new')))
    .filter((from) => existsSync(path.join(from, 'estimates.json')))
    .map((from) => ({ from, written: statSync(path.join(from, 'estimates.json')).mtimeMs }))
    .filter(({ written }) => written >= since)
    .sort((one, other) => one.written - other.written)
    .map(({ from }) => {
      const { group_id: name, function_id: side } = read(path.join(from, 'benchmark.json'));
      return { name, side, median: read(path.join(from, 'estimates.json')).median.point_estimate };
    });
}

function middle(numbers) {
  const sorted = numbers.toSorted((one, other) => one - other);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

async function benchJavaScript(quick) {
  const script = path.join(workspace, 'js', 'bench.mjs');
  const output = await capture(await modernNode(), [script, ...(quick ? ['--quick'] : [])]);
  if (output === undefined) throw new Failure(`\`node ${path.relative(root, script)}\` failed`);
  return JSON.parse(output);
}

/** Returns the results as text, one table for each peer. */
export function codecTable(results) {
  const lines = [];
  for (const peer of new Set(results.map(({ peer_name }) => peer_name))) {
    const rows = results.filter(({ peer_name }) => peer_name === peer);
    lines.push('', `${'ours'.padStart(10)}${'peer'.padStart(10)}${'ratio'.padStart(8)}  ${peer}, in ns`);
    for (const { name, ours, peer: theirs, ratio } of rows) {
      const numbers = [ours, theirs].map((number) => number.toFixed(number < 100 ? 1 : 0).padStart(10));
      lines.push(`${numbers.join('')}${ratio.toFixed(2).padStart(8)}  ${name.replace('codec: ', '')}`);
    }
  }
  return lines.join('\n');
}

async function printTable() {
  const onProgress = (text) => console.error(text);
  console.log(codecTable(await benchCodec({ quick: process.argv.includes('--quick'), onProgress })));
}

if (isMain(import.meta)) await main(printTable);
