// Objects that count what they are called for, and whose calls can go wrong: what the tests
// have around the class beside what the package dormouse-test has. It runs within workerd.

// By the objects' ids. All are in one isolate, and sleep does not reach what is here.
const counts = new Map();
const disturbing = new Map();

const lost = () => new Error('lost, as the test has asked for');

/** What can become of a call. */
const disturbances = {
  hangs: () => scheduler.wait(2 ** 31 - 1),
  fails: () => Promise.reject(lost()),
  'loses its answer': async (call) => {
    await call();
    throw lost();
  },
  'comes twice': async (call) => {
    await call();
    return call();
  },
  'comes late': async (call) => {
    await scheduler.wait(20 * Math.random());
    return call();
  },
  'is answered late': async (call) => {
    const answer = await call();
    await scheduler.wait(20 * Math.random());
    return answer;
  },
};
const { hangs, ...passing } = disturbances;
/** Each call in another way, and every second one not at all. */
disturbances['is shaky'] = (call) => {
  const all = Object.values(passing);
  const one = all[Math.floor(2 * all.length * Math.random())];
  return one && one(call);
};

export const watch = {
  counts: () => Object.fromEntries(counts),
  disturb: (id, how) => void disturbing.set(id, disturbances[how]),
};

export const object = (Built) =>
  class extends Built {
    #counts;
    #id;

    constructor(state, env) {
      super(state, env);
      this.#id = state.id.toString();
      if (!counts.has(this.#id)) counts.set(this.#id, { wakes: 0, calls: 0, disturbed: 0, alarms: 0 });
      this.#counts = counts.get(this.#id);
      this.#counts.wakes += 1;
    }

    dormouseCall(...call) {
      this.#counts.calls += 1;
      const run = () => super.dormouseCall(...call);
      const disturb = disturbing.get(this.#id) ?? disturbing.get('');
      const disturbed = disturb?.(run);
      if (disturbed) this.#counts.disturbed += 1;
      return disturbed ?? run();
    }

    alarm() {
      this.#counts.alarms += 1;
      return super.alarm();
    }
  };
