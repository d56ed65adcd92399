// `npm run deploy`: `wrangler deploy`, even on a machine where nothing is installed
// yet. Arguments are passed to wrangler: `npm run deploy -- --dry-run`.

import { main } from './shell.mjs';
import { build } from './build.mjs';
import { deploy } from './wrangler.mjs';

await main(async () => {
  await build();
  await deploy(process.argv.slice(2));
});
