// Chooses which of a fuzzer's inputs to keep in the repository: a few that together
// reach nearly everything that all of them reach.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { Failure, say } from './shell.mjs';

// Per target. Inputs that were made by hand, or found a fault, are kept in addition.
const MOST_FILES = 30;
const MOST_BYTES = 16_000;

/**
 * Puts the best inputs from `from` into `to`, in place of those that were kept
 * there before. `merge` runs libFuzzer, which notes what each input reaches.
 */
export async function keepBest({ name, from, to, scratch, merge }) {
  if (!existsSync(from)) return say(`${name}: nothing was found yet`);
  mkdirSync(to, { recursive: true });
  const control = path.join(scratch, `${name}.merge`);
  const nowhere = path.join(scratch, `${name}.merged`);
  for (const leftover of [control, nowhere]) rmSync(leftover, { recursive: true, force: true });
  mkdirSync(nowhere, { recursive: true });
  const { code } = await merge(['-set_cover_merge=1', `-merge_control_file=${control}`, nowhere, from, to]);
  if (code !== 0) throw new Failure(`libFuzzer could not look through the corpus of ${name}`);

  const inputs = readControl(readFileSync(control, 'utf8'));
  const named = inputs.filter(({ file }) => path.dirname(file) === to && !isHash(file));
  const others = inputs.filter((input) => !named.includes(input));
  const best = chooseBest(others, named);
  // Some of them are in their place already.
  const chosen = best.map(({ file }) => readFileSync(file));
  for (const file of readdirSync(to)) if (isHash(file)) rmSync(path.join(to, file));
  for (const bytes of chosen) {
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    writeFileSync(path.join(to, hash), bytes);
  }
  for (const leftover of [control, nowhere]) rmSync(leftover, { recursive: true, force: true });
  say(`${name}: ${named.length} by hand and ${best.length} found, of ${inputs.length}`);
}

/** Reads what libFuzzer has noted: the files, and what each of them reaches. */
function readControl(text) {
  const lines = text.split('\n');
  const count = Number(lines[0]);
  const files = lines.slice(2, 2 + count);
  const inputs = files.map((file) => ({ file, reaches: new Set() }));
  for (const line of lines.slice(2 + count)) {
    const [kind, index, ...features] = line.split(' ');
    // An edge counts by itself, besides how often it was taken.
    if (kind === 'FT') features.forEach((feature) => inputs[index].reaches.add(feature));
    if (kind === 'COV') features.forEach((edge) => inputs[index].reaches.add(`edge ${edge}`));
  }
  return inputs;
}

/** Repeatedly chooses the input that adds most to what is reached already. */
function chooseBest(inputs, given) {
  const reached = new Set();
  const take = ({ reaches }) => reaches.forEach((feature) => reached.add(feature));
  given.forEach(take);
  const left = inputs.map((input) => ({ ...input, size: statSync(input.file).size }));
  const chosen = [];
  let bytes = 0;
  while (chosen.length < MOST_FILES) {
    let best;
    let most = 0;
    for (const input of left) {
      if (bytes + input.size > MOST_BYTES || chosen.includes(input)) continue;
      let gain = 0;
      for (const feature of input.reaches) gain += reached.has(feature) ? 0 : feature[0] === 'e' ? 5 : 1;
      if (gain > most) [best, most] = [input, gain];
    }
    if (!best) break;
    chosen.push(best);
    bytes += best.size;
    take(best);
  }
  return chosen;
}

/** Returns whether a file is named after its content, and not by a person. */
function isHash(file) {
  return /^[0-9a-f]{16}$/.test(path.basename(file));
}
