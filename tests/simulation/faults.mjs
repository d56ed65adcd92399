// What goes wrong, and when. Each seed has some kinds of faults and not others, so
// that some runs are judged strictly: whoever was hit by nothing has no excuse.

const SECOND = 1_000;
/** What a session outlives: a ping has so much time to spare. */
const HARMLESS_DELAY = 12 * SECOND;
const HARMLESS_JUMP = 3 * SECOND;

const KINDS = {
  sleeps: 0.6,
  cuts: 0.4,
  stalls: 0.2,
  crashes: 0.3,
  redeploys: 0.15,
  panics: 0.25,
  brokenStorage: 0.1,
  fullStorage: 0.1,
  brokenWrites: 0.15,
  lateAlarms: 0.25,
  doubleAlarms: 0.25,
  jumps: 0.2,
  duplicates: 0.15,
};

/** What leaves no mark on sessions whose pings are due every 300 ms. */
const HASTY = ['cuts', 'crashes', 'redeploys', 'panics', 'brokenWrites'];

/** Which kinds a seed has: none of them, now and then. */
export function chooseFaults(random, isHasty) {
  if (random.chance('profile', 0.1)) return new Set();
  const chosen = new Set(
    Object.entries(KINDS)
      .filter(([kind, chance]) => random.chance(`profile ${kind}`, chance))
      .map(([kind]) => kind),
  );
  return isHasty ? new Set(HASTY.filter((kind) => chosen.has(kind))) : chosen;
}

export class Faults {
  isActive = true;
  #brokenUntil = -1;
  #fullUntil = -1;
  #crashes = [];

  /** `kinds` is what may go wrong; `sleep` forces it: 'never', 'always'. */
  constructor(world, kinds, { sleep } = {}) {
    Object.assign(this, { world, kinds, sleep });
    this.slowWrites = sleep ? 0 : world.random.pick('profile', [0, 1, 12]);
    this.sleepiness =
      sleep === 'always' ? 1 : kinds.has('sleeps') ? world.random.pick('profile', [0.01, 0.1, 1]) : 0;
  }

  #happens(kind, probability) {
    return this.isActive && this.kinds.has(kind) && this.world.random.chance(`fault ${kind}`, probability);
  }

  // What the platform asks.

  /** A statement, of this first word, of an object. What fails in earnest ends the object. */
  storageFails(host, word) {
    const { loop } = this.world;
    if (loop.now < this.#brokenUntil) {
      host.breakDown();
      return true;
    }
    return loop.now < this.#fullUntil && ['insert', 'create', 'update'].includes(word);
  }

  commitDelay() {
    return this.slowWrites;
  }

  commitFails() {
    return this.#happens('brokenWrites', 0.01);
  }

  alarmDelay() {
    if (!this.#happens('lateAlarms', 0.4)) return 0;
    const delay = this.world.random.pick('fault lateAlarms', [5, 1_000, HARMLESS_DELAY, 60_000]);
    if (delay > HARMLESS_DELAY) this.world.excuseSessions('a late alarm');
    return delay;
  }

  alarmTwice() {
    return this.#happens('doubleAlarms', 0.3);
  }

  isCollected() {
    return this.world.random.chance('collection', 0.5);
  }

  /** Whether an object that has been idle for long enough sleeps. */
  maySleep() {
    return this.sleep !== 'never';
  }

  hop() {
    return this.world.random.between('hop', 0, 2);
  }

  duplicatesPoll(client) {
    if (!this.#happens('duplicates', 0.05)) return false;
    client.isExcused = 'a poll that came twice';
    client.hears.duplicated();
    return true;
  }

  /** Whether somebody else than the server is to blame for an answer with 5xx. */
  excuses5xx(exchange) {
    const { excuses } = this.world.oracle;
    if (excuses.storage || (excuses.panicked && exchange.spec.isRoute)) return true;
    return this.#crashes.some((at) => at >= exchange.arrivedAt);
  }

  crashed(host) {
    this.#crashes.push(this.world.loop.now);
    this.world.oracle.excuses.crashed = true;
    this.world.oracle.application.cutOff(host.id);
    this.world.excuseSessions('a crash');
  }

  // What happens by itself.

  /** Plans the faults of so many milliseconds. */
  plan(duration) {
    const { loop } = this.world;
    const each = {
      cuts: [20, () => this.#cut()],
      stalls: [20, () => this.#stall()],
      crashes: [30, () => this.#crash()],
      redeploys: [60, () => this.world.platform.redeploy()],
      panics: [30, () => this.world.panic()],
      brokenStorage: [50, () => this.#breakStorage()],
      fullStorage: [50, () => this.#fillStorage()],
      jumps: [40, () => this.#jump()],
    };
    for (const [kind, [every, act]] of Object.entries(each)) {
      if (!this.kinds.has(kind)) continue;
      const count = Math.ceil(duration / (every * SECOND));
      for (let i = 0; i < count; i += 1) {
        loop.after(this.world.random.between(`fault ${kind}`, 0, duration), () => this.isActive && act());
      }
    }
  }

  /** After each step: an object that can sleep does, maybe. */
  afterStep() {
    if (this.sleepiness === 0 || (!this.isActive && this.sleep === undefined)) return;
    for (const host of this.world.platform.objects) {
      if (host.canSleep && this.world.random.stream('fault sleeps')() < this.sleepiness) host.sleep();
    }
  }

  #cut() {
    const player = this.world.random.pick('fault cuts', this.world.players);
    player.excuse('a cut');
    player.network.cutAll();
  }

  #stall() {
    const player = this.world.random.pick('fault stalls', this.world.players);
    const duration = this.world.random.between('fault stalls', 1_000, 30_000);
    if (duration > HARMLESS_DELAY) player.excuse('a slow network');
    this.world.trace(`${player.name} reads nothing for ${Math.floor(duration)} ms`);
    player.network.stall(duration);
  }

  #crash() {
    const { objects } = this.world.platform;
    if (objects.length > 0) this.world.random.pick('fault crashes', objects).crash('aborted');
  }

  #breakStorage() {
    this.#brokenUntil = this.#spoil('brokenStorage', 'cannot be used');
  }

  #fillStorage() {
    this.#fullUntil = this.#spoil('fullStorage', 'is full');
  }

  #spoil(kind, how) {
    const duration = this.world.random.pick(`fault ${kind}`, [1, 1_000, 20_000]);
    this.world.oracle.excuses.storage = true;
    this.world.excuseSessions('bad storage', duration);
    this.world.trace(`storage ${how} for ${duration} ms`);
    return this.world.loop.now + duration;
  }

  #jump() {
    const by = this.world.random.pick('fault jumps', [
      -80,
      -5,
      700,
      HARMLESS_JUMP,
      20_000,
      600_000,
      7_200_000,
    ]);
    if (by > HARMLESS_JUMP) this.world.excuseSessions('a clock that jumped');
    this.world.platform.jump(by);
  }
}
