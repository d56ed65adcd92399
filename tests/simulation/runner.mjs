// Runs seeds, and tells what came of them.

import { regressions } from './regressions.mjs';
import { simulate } from './simulation.mjs';

// An object that is cut off rejects what nobody waits for any more.
process.on('unhandledRejection', () => {});

const FIRST = 1;
const PROGRESS_EVERY = 10_000;
const SHOWN = 5;

/** Replays one seed, and shows what happened. */
export async function runOne(program, { seed }) {
  const started = performance.now();
  const result = await simulate(program, seed, { onLine: (line) => console.log(line) });
  console.log(summary([result], performance.now() - started));
  for (const violation of result.violations) console.log(`✗ ${violation}`);
  return result.violations.length === 0;
}

/** Runs those that have found something once, then seed after seed for so long, or so many. */
export async function runMany(program, { seconds = 60, seeds, from = FIRST, step = 1 }) {
  const run = new Run(program);
  await run.isRepeatable(from);
  for (const { seed } of regressions) await run.seed(seed);
  for (let index = 0; seeds === undefined ? run.elapsed < seconds * 1_000 : index < seeds; index += 1) {
    await run.seed(from + index * step);
    run.tellProgress();
  }
  console.log(summary(run.results, run.elapsed));
  console.log(run.failures === 0 ? 'nothing was found' : `${run.failures} seeds found something`);
  return run.failures === 0;
}

class Run {
  results = [];
  failures = 0;
  #started = performance.now();
  #told = 0;

  constructor(program) {
    this.program = program;
  }

  get elapsed() {
    return performance.now() - this.#started;
  }

  async seed(seed) {
    try {
      const result = await simulate(this.program, seed);
      this.results.push(result);
      if (result.violations.length > 0) this.#tell(result);
    } catch (error) {
      this.#tell({ seed, violations: [`the simulation itself failed: ${error.stack}`], faults: [] });
    }
  }

  /** The same seed twice is the same to the last byte on the wire. */
  async isRepeatable(seed) {
    const [one, other] = [await simulate(this.program, seed), await simulate(this.program, seed)];
    if (one.hash === other.hash) return;
    this.failures += 1;
    console.log(`✗ seed ${seed} is not the same twice: the simulation depends on something else`);
  }

  #tell({ seed, violations, faults }) {
    this.failures += 1;
    console.log(`✗ seed ${seed} (${faults.join(', ') || 'no faults'}): ${violations.length} violations`);
    for (const violation of violations.slice(0, SHOWN)) console.log(`    ${violation}`);
    const known = regressions.find((regression) => regression.seed === seed);
    if (known) console.log(`  it has found this before: ${known.found}`);
    console.log(`  npm run simulate -- --seed ${seed}`);
  }

  tellProgress() {
    if (this.elapsed - this.#told < PROGRESS_EVERY) return;
    this.#told = this.elapsed;
    console.log(summary(this.results, this.elapsed));
  }
}

function summary(results, millis) {
  const sum = (name) => results.reduce((total, result) => total + result[name], 0);
  const rate = (name) => Math.round((sum(name) / millis) * 1_000);
  return (
    `${results.length} seeds: ${sum('sessions')} sessions, ${sum('requests')} requests, ${sum('asked')} questions, ` +
    `${sum('casts')} messages to many and ${sum('received')} receipts, ${sum('recovered')} recoveries, ` +
    `${sum('steps')} steps; ${rate('sessions')} sessions and ${rate('steps')} steps a second`
  );
}
