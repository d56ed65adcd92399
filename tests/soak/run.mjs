// The soak itself, which tools/soak.mjs starts: visitors come and go for so many
// minutes while handlers panic and objects sleep, are cut off and break off. Memory and
// sessions are sampled; in the end everybody leaves, and nothing may be left of them.
//
// Writes target/soak.json and target/soak.svg; fails where an invariant does not hold:
// every acknowledgement comes, messages keep their order, nothing is answered with 5xx,
// the log has no error but that of the panics that were asked for, memory does not grow
// without bound (trend.mjs), and no session outlives its client.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pass } from '../harness/delays.mjs';
import { SEED, pick, random as generator } from '../harness/random.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { chart } from './chart.mjs';
import { chores, socketsOn } from './chores.mjs';
import { trend } from './trend.mjs';
import { visits } from './visitors.mjs';

const MEBI = 2 ** 20;
// Longer than it takes a session to time out whose client vanished, and a pulse more.
const LONGEST_GOODBYE = 120_000;
/** Visitors do not all come at once. */
const LONGEST_WAY = 5_000;
/** How often it is looked what is due, and who is left. */
const TICK = 200;

const { values: given } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    clients: { type: 'string', default: '40' },
    seed: { type: 'string', default: String(SEED) },
    target: { type: 'string', default: fileURLToPath(new URL('../../target', import.meta.url)) },
  },
});
const minutes = Number(given.minutes);
const clients = Number(given.clients);
if (!(minutes > 0) || !(clients > 0)) throw new Error('--minutes and --clients are numbers over 0');

// Left to itself, V8 lets garbage pile up for as long as nobody bounds its memory.
const server = await startWorkerd({ storage: true, tidy: true });
const random = generator(Number(given.seed));
const began = Date.now();
const ends = began + minutes * 60_000;
const every = Math.min(5_000, (minutes * 60_000) / 24);

const counts = {};
const failures = [];
const samples = [];
const sessions = new Set();
let present = 0;
let visitors = 0;

function count(what) {
  counts[what] = (counts[what] ?? 0) + 1;
}

function fail(message) {
  count('failures');
  if (failures.length < 100) failures.push({ at: seconds(), message });
  console.error(`✖ ${seconds().toFixed(0)} s: ${message}`);
}

const seconds = () => (Date.now() - began) / 1_000;
const isOver = () => Date.now() >= ends;

/** Grows when a panic begins and when it is over: the same twice says that there was none. */
const panics = () => (counts.panics ?? 0) + (counts['panics that are over'] ?? 0);

/** One visitor after the other. */
async function seat() {
  await pass(random() * LONGEST_WAY);
  while (!isOver()) {
    const name = `visitor ${(visitors += 1)}`;
    present += 1;
    const world = { server, random, name, count, fail, panics };
    await pick(random, visits)(world).catch((error) => fail(`${name}: ${tell(error)}`));
    present -= 1;
    count('visits');
  }
}

async function work() {
  const due = chores.map((chore) => ({ ...chore, at: Date.now() + chore.every * 500 }));
  while (!isOver()) {
    for (const chore of due.filter(({ at }) => at <= Date.now())) {
      chore.at += chore.every * 1_000;
      const failed = (error) => fail(`${chore.run.name}: ${tell(error)}`);
      await chore.run({ server, count, fail, forget }).catch(failed);
    }
    await pass(TICK);
  }
}

/** What went wrong, in one line. */
function tell({ message, refusal, actual, expected, stack }) {
  const short = (value) => (JSON.stringify(value, (_, it) => it?.stack ?? it) ?? '').slice(0, 200);
  const where = /at (?!async Promise).*tests\/soak\/[^)]*/.exec(stack)?.[0] ?? '';
  const compared = expected === undefined ? '' : ` ${short(actual)} instead of ${short(expected)}`;
  const status = refusal?.context?.status ?? refusal?.description ?? '';
  const refused = refusal ? ` ${refusal.message ?? refusal} ${status}` : '';
  return `${message.split('\n')[0]}${compared}${refused} ${where}`;
}

/** What the server has logged since the last time; then it is forgotten. */
function readLog() {
  const { logs } = server;
  for (const { event, level, ...more } of logs.events.splice(0)) {
    if (event === 'connect') sessions.add(more.sid);
    if (event === 'disconnect') sessions.delete(more.sid);
    if (level === 'warn') count(`warning: ${event}`);
    if (level === 'error' && event === 'handler panicked') count('panics in the log');
    else if (level === 'error') fail(`the log has ${event}: ${JSON.stringify(more)}`);
  }
  logs.lines.length = 0;
}

/** Its object is gone without a word, and its WebSockets with it. */
function forget(sid) {
  readLog();
  for (const other of sessions) if (objectId(other) === objectId(sid)) sessions.delete(other);
}

async function watch() {
  while (!isOver()) {
    await pass(every);
    readLog();
    const memory = server.memory();
    samples.push({ at: seconds(), memory, sessions: sessions.size, present });
    const columns = [`${seconds().toFixed(0).padStart(5)} s`, `${(memory / MEBI).toFixed(1)} MiB`];
    console.log([...columns, `${sessions.size} sessions`, `${present} visitors`].join('  '));
  }
}

/** Everybody has left: until the server has noticed, or it never will. */
async function emptied() {
  const until = Date.now() + LONGEST_GOODBYE;
  let left;
  do {
    await pass(TICK);
    const all = ['/io/', '/msgpack/', '/recovery/'].map((path_) => socketsOn(server, path_));
    left = (await Promise.all(all)).reduce((sum, some) => sum + some, 0);
  } while (left > 0 && Date.now() < until);
  return left;
}

function report(left) {
  const grown = trend(samples);
  const { level, slopePerHour, growth, bound } = grown;
  if (growth > bound) fail(`memory has grown by ${(growth * 100).toFixed(1)} % in the second half`);
  if (sessions.size > 0) fail(`${sessions.size} sessions have outlived their clients`);
  if (left > 0) fail(`${left} sockets have outlived their clients`);
  if (counts['panics in the log'] !== counts.panics) {
    fail(`${counts['panics in the log']} panics in the log, ${counts.panics} were asked for`);
  }
  const memory = { ...grown, peak: Math.max(...samples.map((it) => it.memory)) };
  const result = { minutes, clients, seed: given.seed, memory, counts, failures, left, samples };
  mkdirSync(given.target, { recursive: true });
  writeFileSync(path.join(given.target, 'soak.json'), `${JSON.stringify(result, null, 2)}\n`);
  const points = (of) => samples.map((sample) => [sample.at / 60, of(sample)]);
  const panels = [
    { title: 'Resident memory of workerd', unit: 'MiB', points: points((it) => it.memory / MEBI) },
    { title: 'Sessions that the server knows', unit: 'count', points: points((it) => it.sessions) },
  ];
  writeFileSync(path.join(given.target, 'soak.svg'), chart(panels));
  console.log(counts);
  console.log(
    `memory: ${(level / MEBI).toFixed(1)} MiB, ${(slopePerHour / MEBI).toFixed(1)} MiB per hour,`,
    `${(growth * 100).toFixed(1)} % in the second half (at most ${bound * 100} %)`,
  );
  console.log(failures.length === 0 ? 'ok' : `${counts.failures} failures`);
}

// The oldest client falls into an endless recursion when it is closed while it connects.
process.on('uncaughtException', (error) => {
  if (/node_modules\/socket\.io-client-1\//.test(error.stack)) count('errors within socket.io-client 1.7');
  else fail(tell(error));
});

try {
  await Promise.all([watch(), work(), ...Array.from({ length: clients }, seat)]);
  const left = await emptied();
  readLog();
  report(left);
} finally {
  await server.stop();
}
process.exit(failures.length === 0 ? 0 : 1);
