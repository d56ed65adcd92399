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

/** Where many objects are one server, the same and more can happen to their calls. */
const KINDS_OF_MANY = {
  ...KINDS,
  crashes: 0.5,
  brokenWrites: 0.3,
  redeploys: 0.3,
  brokenStorage: 0.06,
  fullStorage: 0.06,
  moves: 0.4,
  skews: 0.4,
  slowCalls: 0.5,
  lateCalls: 0.4,
  failedCalls: 0.5,
  repeatedCalls: 0.5,
  overloads: 0.25,
};

/** A call that takes longer may make what depends on it fail. */
const HARMLESS_CALL = 150;
/** Clocks of two machines differ by less than a second. */
const SKEW = 450;

/** What leaves no mark on sessions whose pings are due every 400 ms. */
const HASTY = ['cuts', 'crashes', 'redeploys', 'panics', 'brokenWrites'];

/** Which kinds a seed has: none of them, now and then. */
export function chooseFaults(random, { isHasty, isMany }) {
  if (random.chance('profile', 0.1)) return new Set();
  const chosen = new Set(
    Object.entries(isMany ? KINDS_OF_MANY : KINDS)
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
  /** Since when nothing has happened for which another object may be without an answer. */
  calmSince = 0;

  /** `kinds` is what may go wrong; `sleep` forces it: 'never', 'always'. */
  constructor(world, kinds, { sleep } = {}) {
    Object.assign(this, { world, kinds, sleep });
    this.slowWrites = sleep ? 0 : world.random.pick('profile', [0, 1, 12]);
    this.sleepiness =
      sleep === 'always' ? 1 : kinds.has('sleeps') ? world.random.pick('profile', [0.01, 0.1, 1]) : 0;
    // That an object sleeps after ten quiet seconds at the earliest is what many rely on.
    if (world.isMany) this.sleepiness = 0;
  }

  trouble() {
    this.calmSince = this.world.loop.now;
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
    const fails = loop.now < this.#fullUntil && ['insert', 'create', 'update'].includes(word);
    if (fails) this.trouble();
    return fails;
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
    return this.sleep !== 'never' && (!this.world.isMany || this.kinds.has('sleeps') || !this.isActive);
  }

  // Of objects that call each other.

  /** How far the clock of an object's machine is from the right time. */
  skew(host) {
    if (!host || !this.kinds.has('skews')) return 0;
    host.skew ??= this.world.random.integer(`skew ${host.name}`, -SKEW, SKEW);
    return host.skew;
  }

  /** Whether an instance lives on beside its successor when the object is cut off. */
  leavesOld() {
    return this.#happens('moves', 0.5);
  }

  /**
   * What becomes of a call from object to object: when it arrives (several times, if the
   * platform repeats it), how long the answer takes, and what goes wrong.
   */
  fateOfCall() {
    const between = (low, high) => this.world.random.between('calls', low, high);
    const slow = () => (this.#happens('slowCalls', 0.15) ? between(0, 2_000) : between(0, 4));
    const late = () => (this.#happens('lateCalls', 0.03) ? between(1_000, 40_000) : 0);
    const fate = { there: [slow() + late()], back: slow() + late() };
    if (this.#happens('repeatedCalls', 0.05)) fate.there.push(slow() + between(0, 9_000));
    if (this.#happens('failedCalls', 0.05)) fate[this.#pick(['isLost', 'losesAnswer'])] = true;
    if (this.#happens('overloads', 0.02)) fate.isRefused = true;
    if (this.#happens('moves', 0.5)) fate.findsOld = true;
    const goesWrong = fate.isLost || fate.losesAnswer || fate.isRefused;
    if (goesWrong || Math.max(...fate.there, fate.back) > HARMLESS_CALL) this.trouble();
    return fate;
  }

  #pick(values) {
    return this.world.random.pick('fault calls', values);
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
    if (this.world.many && exchange.spec.isRoute) return this.world.many.wasTroubled(exchange.arrivedAt);
    return this.#crashes.some((at) => at >= exchange.arrivedAt);
  }

  crashed(host) {
    this.#crashes.push(this.world.loop.now);
    this.world.oracle.excuses.crashed = true;
    this.world.oracle.application.cutOff(host.id);
    this.trouble();
    if (this.world.many) this.world.many.crashed(host);
    else this.world.excuseSessions('a crash');
  }

  // What happens by itself.

  /** Plans the faults of so many milliseconds. */
  plan(duration) {
    const { loop } = this.world;
    const each = {
      cuts: [20, () => this.#cut()],
      stalls: [20, () => this.#stall()],
      crashes: [this.world.isMany ? 8 : 30, () => this.#crash()],
      moves: [15, () => this.#move()],
      redeploys: [60, () => this.world.platform.redeploy()],
      panics: [this.world.isMany ? 6 : 30, () => this.#panic()],
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
    player.stalledUntil = this.world.loop.now + duration;
    this.world.trace(`${player.name} reads nothing for ${Math.floor(duration)} ms`);
    player.network.stall(duration);
  }

  #crash() {
    const { objects } = this.world.platform;
    if (objects.length > 0) this.world.random.pick('fault crashes', objects).crash('aborted');
  }

  /** Of many objects, some may not know yet that others have got what was sent before. */
  #panic() {
    if (!this.world.many) return this.world.panic();
    for (const namespace of ['/', '/chat']) this.world.many.greet(namespace);
    const delay = this.world.random.between('fault panics', 0, 1_500);
    this.world.loop.after(delay, () => this.isActive && this.world.panic());
    return undefined;
  }

  #move() {
    const { objects } = this.world.platform;
    if (objects.length > 0) this.world.random.pick('fault moves', objects).move('moved');
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
    this.trouble();
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
    this.trouble();
    this.world.platform.jump(by);
  }
}
