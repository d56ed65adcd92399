// `npm run cost`: what idle clients are billed for, and what is done in many objects,
// counted on the real runtime; see docs/cost.md. Fails if a rule is broken or a goal is missed.
//
//   --quick    a sample, in less than a minute

import { isDeepStrictEqual } from 'node:util';
import { Failure, isMain, keepTemporaryFiles, main, root, run, say } from './shell.mjs';
import { build, testWorker } from './build.mjs';
import { clientsWithin } from './files.mjs';
import { ensureNpmPackages, modernNode } from './setup.mjs';

const LARGEST = 10_000;

async function cost({ quick }) {
  const count = await import('../tests/cost/scenarios.mjs');
  const rules = await import('../tests/cost/rules.mjs');
  const report = await import('../tests/cost/report.mjs');
  const many = await import('../tests/cost/many.mjs');
  const { startMetered } = await import('../tests/harness/meter/metered.mjs');

  const scenarios = quick ? count.quickScenarios() : count.allScenarios(await clientsWithin(LARGEST));
  const broken = [];
  const note = (whom, sentences) => broken.push(...sentences.map((sentence) => `${whom}: ${sentence}`));
  const realTime = quick ? undefined : countRealTime(startMetered);
  realTime?.catch(() => {});

  const results = [];
  const talks = [];
  let inMany = [];
  const metered = await startMetered();
  try {
    for (const scenario of scenarios) {
      const name = `${report.title(scenario)}, ${scenario.count} in one object`;
      say(name);
      const spent = await count.spend(metered, scenario);
      results.push({ scenario, spent });
      note(name, [...rules.broken(scenario, spent), ...rules.missed(scenario, spent)]);
    }
    for (const server of count.talking) {
      say(`${server}, a thousand messages`);
      const talk = await count.talk(metered, server);
      talks.push(talk);
      note(server, rules.brokenByMessages(talk));
    }
    say('many objects that are one server');
    inMany = await many.countMany(metered, quick ? [1, 10] : [1, 10, 100]);
    for (const row of inMany) note(row.what, many.brokenByMany(row));
  } finally {
    await metered.stop();
  }
  console.log(`\n${report.hourly(results)}\n\n${report.monthly(results)}\n\n${report.talked(talks)}\n\n${report.inMany(inMany)}\n`);
  note('real time', (await realTime) ?? []);
  if (broken.length > 0) throw new Failure(`too much is spent\n  ${broken.join('\n  ')}`);
  say('no rule is broken and no goal missed');
}

/** Compares the simulation with real time. */
async function countRealTime(startMetered) {
  const { countRealTime: spend, expected } = await import('../tests/cost/real-time.mjs');
  const metered = await startMetered({ realTime: true });
  try {
    const revisions = [3, 4];
    const spent = await Promise.all(revisions.map((revision) => spend(metered, revision)));
    return revisions.flatMap((revision, index) => {
      const counted = JSON.stringify(spent[index]);
      say(`in real time, three ping intervals of ten clients of revision ${revision}: ${counted}`);
      if (isDeepStrictEqual(spent[index], expected(revision))) return [];
      return [`the simulation has ${JSON.stringify(expected(revision))}, not ${counted}`];
    });
  } finally {
    await metered.stop();
  }
}

if (isMain(import.meta)) {
  keepTemporaryFiles();
  await main(async () => {
    const args = process.argv.slice(2);
    if (args.includes('--counting')) return cost({ quick: args.includes('--quick') });
    await ensureNpmPackages();
    await build(testWorker);
    // Miniflare may need a newer Node than the one that runs this.
    const again = [`${root}/tools/cost.mjs`, '--counting', ...args];
    await run(await modernNode(), again, { orElse: 'it did not end well, see above' });
  });
}
