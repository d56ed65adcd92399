// One run: a world with a platform, clients, and what goes wrong, from one seed.
// First everybody is busy and things go wrong; then nothing goes wrong any more, and
// all that is due must come; then everybody is idle; then everybody leaves, and
// nothing may be left of them.

import { createHash } from 'node:crypto';
import { Faults, chooseFaults } from './faults.mjs';
import { checkIdle, checkNothingLeft, checkSettled } from './checks.mjs';
import { Hostile } from './hostile.mjs';
import { Loop } from './platform/loop.mjs';
import { Many } from './many.mjs';
import { Oracle } from './oracle.mjs';
import { Platform } from './platform/platform.mjs';
import { Player } from './player.mjs';
import { Random } from './random.mjs';
import { NAMESPACES, NAMESPACES_OF_MANY, act } from './workload.mjs';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Nobody has to wait longer for anything when nothing goes wrong. */
const SETTLED_AFTER = 30 * SECOND;
const COMPARED = 8;
/** One world in six is of many objects that are one server: seeds 3, 9, 15… */
const MANY = 6;
const COUNTS = ['steps', 'sessions', 'requests', 'asked', 'casts', 'received', 'recovered'];

/**
 * One run: `{ violations, hash, steps, sessions, … }`. `onLine` gets the trace;
 * `sleep` is 'never' or 'always' for runs that must not differ, which have no faults.
 */
async function simulateOnce(program, seed, options = {}) {
  const world = new World(program, seed, options);
  try {
    await world.run();
  } finally {
    world.platform.end();
  }
  return world.result();
}

/**
 * Runs a seed. One in so many is run without faults instead, awake all the time and
 * then asleep whenever the object may sleep: its clients must not be able to tell.
 */
export async function simulate(program, seed, options) {
  return seed % COMPARED === 0 ? compareSleep(program, seed, options) : simulateOnce(program, seed, options);
}

async function compareSleep(program, seed, options) {
  const awake = await simulateOnce(program, seed, { ...options, sleep: 'never' });
  const asleep = await simulateOnce(program, seed, { ...options, sleep: 'always' });
  const violations = [...awake.violations, ...asleep.violations];
  for (const [index, lines] of awake.transcripts.entries()) {
    const others = asleep.transcripts[index];
    const place = Array.from({ length: Math.max(lines.length, others.length) }).findIndex(
      (_, at) => lines[at] !== others[at],
    );
    if (place >= 0)
      violations.push(
        `c${index} heard ${others[place]} where an object that does not sleep says ${lines[place]}`,
      );
  }
  const sums = COUNTS.map((name) => [name, awake[name] + asleep[name]]);
  const faults = ['sleep, compared with none'];
  return { ...awake, ...Object.fromEntries(sums), violations, faults, hash: awake.hash + asleep.hash };
}

class World {
  #hash = createHash('sha256');
  #isLeaving = false;
  #uncaught = 0;

  constructor(program, seed, { sleep, onLine }) {
    Object.assign(this, { seed, sleep, onLine });
    this.random = new Random(seed);
    this.loop = new Loop();
    this.start = this.loop.now;
    this.oracle = new Oracle(this);
    this.isMany = !sleep && seed % MANY === MANY / 2;
    this.many = this.isMany ? new Many(this, seed) : undefined;
    // Some servers ping so often that their objects never sleep.
    this.isHasty = !sleep && !this.isMany && this.random.chance('hasty', 0.06);
    const kinds = chooseFaults(this.random, this);
    this.faults = new Faults(this, sleep ? new Set() : kinds, { sleep });
    this.platform = new Platform({
      program,
      loop: this.loop,
      random: this.random,
      faults: this.faults,
      hears: {
        trace: (line) => this.trace(line),
        violation: (text) => this.oracle.violation(text),
        line: (level, line) => {
          this.trace(`${level}: ${line}`);
          this.oracle.application.hears(line);
        },
        panicked: (error) => this.#panicked(error),
        crashed: (host) => this.faults.crashed(host),
        called: (host) => this.many?.called(host),
        slept: (host) => this.many?.slept(host),
      },
      isolates: this.random.pick('profile', this.isMany ? [1, 2, 4] : [1, 1, 2]),
    });
    this.trace(
      `seed ${seed}, faults: ${[...this.faults.kinds].join(', ') || 'none'}${sleep ? `, sleep ${sleep}` : ''}`,
    );
    this.#makePlayers();
    this.#makeHostiles();
  }

  #makePlayers() {
    const pick = (values) => this.random.pick('players', values);
    const some = pick([['/io/'], ['/io/'], ['/recovery/'], ['/recovery/'], ['/io/', '/recovery/']]);
    const paths = this.isMany ? [this.many.path] : some;
    const count = this.random.integer('players', 2, this.isMany ? 9 : 7);
    this.players = Array.from({ length: count }, (_, index) => {
      const player = new Player(this, `c${index}`, {
        path: this.isHasty ? '/socket.io/' : pick(paths),
        revision: pick([4, 4, 4, 3]),
        mode: pick(['websocket', 'polling', 'upgrade']),
        binaryPosts: pick([true, false]),
        chunked: pick([true, false, false]),
        network: {
          delays: this.isHasty
            ? [1, 20]
            : pick([
                [1, 3],
                [5, 80],
                [100, 600],
              ]),
        },
      });
      for (const namespace of this.isMany ? NAMESPACES_OF_MANY : NAMESPACES) {
        if (namespace === '/' || this.random.chance('players', 0.5))
          player.client.place(namespace).wanted = true;
      }
      return player;
    });
  }

  /** In some worlds, somebody wants to sink the objects that the players are in. */
  #makeHostiles() {
    const isThere = !this.sleep && this.random.chance('villains', 0.3);
    const count = isThere ? this.random.integer('villains', 1, 2) : 0;
    this.hostiles = Array.from({ length: count }, (_, index) => {
      const { path } = this.random.pick('villains', this.players).options;
      return new Hostile(this, `h${index}`, path);
    });
  }

  trace(line) {
    const text = `${((this.loop.now - this.start) / SECOND).toFixed(3).padStart(9)} ${line}`;
    // The frames of a stack are not the same twice.
    this.#hash.update(text.split('\n', 1)[0]);
    this.onLine?.(text);
  }

  // What the faults ask for.

  /** Whoever is there, and whoever comes while it lasts or soon after. */
  excuseSessions(reason, duration = 0) {
    for (const player of this.players ?? []) player.excuse(reason);
    this.excusedUntil = this.loop.now + duration + 90 * SECOND;
  }

  panic() {
    const open = this.players.filter(({ client }) => client.isOpen && client.place('/').isConnected);
    if (open.length === 0) return;
    const player = this.random.pick('fault panics', open);
    this.trace(`${player.name} makes a handler panic`);
    this.#uncaught += 1;
    // By polling, what it does meanwhile goes in one payload.
    for (let before = 2; before > 0; before -= 1) act(player);
    if (!player.client.place('/').isConnected || !player.client.isOpen) return;
    player.client.emit('/', ['panic']);
    for (let after = 3; after > 0; after -= 1) act(player);
  }

  #panicked(error) {
    this.trace(`uncaught: ${error}`);
    this.oracle.excuses.panicked = true;
    this.faults.trouble();
    this.many?.panicked(this.platform.context?.isolate);
    // A body of unknown length that is being read is lost with the instance.
    for (const player of this.players) if (player.options.chunked) player.excuse('a panic while it sent');
    if (this.#uncaught === 0)
      this.oracle.violation(`an exception that nobody caught: ${error.stack ?? error}`);
  }

  // Players come and go.

  playerClosed(player) {
    if (this.#isLeaving) return;
    const delay = this.random.pick(`deeds ${player.name}`, [300, 1_500, 4_000, 45_000]);
    const isShort = this.isHasty || !this.faults.isActive;
    this.loop.after(isShort ? Math.min(delay, 2_000) : delay, () => this.#connect(player));
  }

  #connect(player) {
    if (this.#isLeaving) return;
    player.connect();
    if (this.excusedUntil > this.loop.now) player.excuse('what went wrong before it came');
  }

  #keepBusy(player, end) {
    const delay = this.random.pick(`deeds ${player.name}`, [1, 20, 300, 3_000, 15_000]);
    if (this.loop.now + delay > end) return;
    this.loop.after(delay, () => {
      act(player);
      this.#keepBusy(player, end);
    });
  }

  // The phases.

  async run() {
    const [busy, settling, idle, leaving] = this.#durations();
    const end = this.loop.now + busy;
    for (const player of this.players) {
      this.loop.after(this.random.between('players', 0, 4 * SECOND), () => this.#connect(player));
      this.#keepBusy(player, end);
    }
    for (const hostile of this.hostiles) hostile.start(end);
    this.faults.plan(busy);
    await this.#pass(busy);
    this.trace('from here on, nothing goes wrong');
    this.faults.isActive = false;
    await this.#pass(settling);
    checkSettled(this);
    if (this.many) {
      await this.many.prove((duration) => this.#pass(duration));
      this.many.check();
    }
    const before = this.platform.objects.map(({ counts }) => counts.alarms);
    await this.#pass(idle);
    checkIdle(this, before, idle);
    this.#leave();
    await this.#pass(leaving);
    checkNothingLeft(this);
  }

  #durations() {
    const busy = this.random.pick('profile', [20, 60, 120]) * SECOND;
    if (this.isHasty) return [20 * SECOND, SETTLED_AFTER, 5 * SECOND, 5 * MINUTE];
    return [busy, 2 * MINUTE + SETTLED_AFTER, 3 * MINUTE, 9 * MINUTE];
  }

  #pass(duration) {
    return this.loop.runUntil(this.loop.now + duration, () => this.faults.afterStep());
  }

  #leave() {
    this.trace('everybody leaves');
    this.#isLeaving = true;
    for (const hostile of this.hostiles) hostile.leave();
    for (const player of this.players) {
      player.excuse('leaving');
      if (this.random.chance('players', 0.5)) player.client.session?.close();
      else player.network.cutAll();
    }
  }

  result() {
    const { violations, counts } = this.oracle;
    return {
      seed: this.seed,
      violations,
      hash: this.#hash.digest('hex'),
      steps: this.loop.steps,
      faults: [...this.faults.kinds, ...(this.hostiles.length > 0 ? ['hostile clients'] : [])],
      transcripts: this.players.map(({ name, transcript }) => transcript.lines(name, this.players)),
      ...counts,
    };
  }
}
