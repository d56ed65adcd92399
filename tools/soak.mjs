// `npm run soak -- --minutes 60`: a server on workerd with clients that come and go
// for a long time (tests/soak/run.mjs). Its memory is plotted in target/soak.svg.

import { isMain, keepTemporaryFiles, main, root, run } from './shell.mjs';
import { build, testWorker } from './build.mjs';
import { ensureNpmPackages, modernNode } from './setup.mjs';

// The milliseconds that anything may take, on a busy machine.
const PATIENCE = 60_000;

async function soak(args) {
  await ensureNpmPackages();
  await build(testWorker);
  const env = { DORMOUSE_TEST_PATIENCE: String(PATIENCE) };
  const options = { env, orElse: 'the soak has failed, see above and target/soak.json' };
  await run(await modernNode(), [`${root}/tests/soak/run.mjs`, ...args], options);
}

if (isMain(import.meta)) {
  keepTemporaryFiles();
  await main(() => soak(process.argv.slice(2)));
}
