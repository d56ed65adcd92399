// `npm run simulate`: the built Worker on a simulated platform, with clients,
// networks and disasters that a seed decides.
//
//   npm run simulate                    one minute, from the first seed
//   npm run simulate -- --seconds 600   longer
//   npm run simulate -- --seeds 1000    this many seeds
//   npm run simulate -- --seed 7        one seed, with everything on the wire
//
// `--from N` begins at another seed, `--step N` leaves out those in between: `--from 3
// --step 6` are the worlds in which many objects are one server. `--seed` runs a seed again
// that has failed.

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure, isMain, main, root, run } from './shell.mjs';
import { build, testWorker } from './build.mjs';
import { modernNode } from './setup.mjs';

const FLAGS = ['--disable-warning=ExperimentalWarning'];
const USAGE = 'npm run simulate -- [--seconds N | --seeds N | --seed N] [--from N] [--step N]';

async function prepare(args) {
  if (!args.includes('--no-build')) await build(testWorker);
  const script = [
    ...FLAGS,
    fileURLToPath(import.meta.url),
    '--here',
    ...args.filter((arg) => arg !== '--no-build'),
  ];
  await run(await modernNode(), script, { orElse: 'the simulation found something, see above' });
}

async function here(args) {
  const options = parse(args);
  const { load } = await import('../tests/simulation/platform/isolate.mjs');
  const runner = await import('../tests/simulation/runner.mjs');
  const program = load(path.join(root, process.env.DORMOUSE_BUILD ?? `${testWorker}/build`));
  const passed =
    options.seed === undefined
      ? await runner.runMany(program, options)
      : await runner.runOne(program, options);
  if (!passed) process.exitCode = 1;
}

function parse(args) {
  const options = {};
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--/, '');
    const value = Number(args[i + 1]);
    if (!['seconds', 'seeds', 'seed', 'from', 'step'].includes(name) || !Number.isInteger(value))
      throw new Failure(USAGE);
    options[name] = value;
  }
  return options;
}

if (isMain(import.meta)) {
  const args = process.argv.slice(2);
  await main(() => (args[0] === '--here' ? here(args.slice(1)) : prepare(args)));
}
