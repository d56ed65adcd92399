// Runs seeds, and tells what came of them.

import { simulate } from './simulation.mjs';

// An object that is cut off rejects what nobody waits for any more.
process.on('unhandledRejection', () => {});

const FIRST = 1;
const PROGRESS_EVERY = 10_000;

/** Replays one seed, and shows what happened. */
export async function runOne(program, { seed }) {
  const result = await simulate(program, seed, { onLine: (line) => console.log(line) });
  console.log(summary([result], 0));
  for (const violation of result.violations) console.log(`✗ ${violation}`);
  return result.violations.length === 0;
}

/** Runs seed after seed, for so many seconds or so many seeds. */
export async function runMany(program, { seconds = 60, seeds, from = FIRST }) {
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  const results = [];
  const failed = [];
  let told = 0;
  for (let seed = from; seeds === undefined ? elapsed() < seconds * 1_000 : seed < from + seeds; seed += 1) {
    const result = await simulate(program, seed);
    results.push(result);
    if (result.violations.length > 0) {
      failed.push(result);
      tell(result);
    }
    if (elapsed() - told > PROGRESS_EVERY) {
      told = elapsed();
      console.log(summary(results, told));
    }
  }
  console.log(summary(results, elapsed()));
  return failed.length === 0;
}

function tell({ seed, violations, faults }) {
  console.log(`✗ seed ${seed} (${faults.join(', ') || 'no faults'}): ${violations.length} violations`);
  for (const violation of violations.slice(0, 5)) console.log(`    ${violation}`);
  console.log(`  npm run simulate -- --seed ${seed}`);
}

function summary(results, millis) {
  const sum = (name) => results.reduce((total, result) => total + result[name], 0);
  const rate = millis > 0 ? `, ${Math.round((sum('sessions') / millis) * 1_000)} sessions and ${Math.round((sum('steps') / millis) * 1_000)} steps a second` : '';
  return (
    `${results.length} seeds: ${sum('sessions')} sessions, ${sum('requests')} requests, ${sum('asked')} questions, ` +
    `${sum('casts')} messages to many and ${sum('received')} receipts, ${sum('recovered')} recoveries, ${sum('steps')} steps${rate}`
  );
}
