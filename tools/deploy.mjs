// `npm run deploy`: `wrangler deploy`, on a machine where nothing is installed
// yet too. Arguments go on to wrangler: `npm run deploy -- --dry-run`.

import { isMain, main } from './shell.mjs';
import { setUpBuild } from './setup.mjs';
import { wrangler } from './wrangler.mjs';

if (isMain(import.meta)) {
  await main(async () => {
    await setUpBuild();
    await wrangler(['deploy', ...process.argv.slice(2)]);
  });
}
