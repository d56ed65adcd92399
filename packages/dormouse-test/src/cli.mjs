#!/usr/bin/env node
// `dormouse-test build`, which makes what `start` takes, and `dormouse-test serve`, for tests
// in other languages.

import { parseArgs } from 'node:util';
import { FOLDER, build } from './build.mjs';
import { serve } from './serve.mjs';

const USAGE = `dormouse-test build [options]   builds the Worker for tests
dormouse-test serve [options]   serves it, and prints where, as a line of JSON

  --folder FOLDER        where the build is (${FOLDER})
build:
  --config FILE          wrangler's configuration (wrangler.toml, wrangler.json or wrangler.jsonc)
  --env NAME             an environment of it
  --release              has its build command build as for a deploy
serve:
  --port PORT            of the Worker (a free one)
  --clock real|manual    manual: time stands still until a test moves it
  --var NAME=VALUE       a variable of the Worker
`;

const text = { type: 'string' };
const options = {
  folder: text,
  config: text,
  env: text,
  release: { type: 'boolean' },
  port: text,
  clock: text,
  var: { type: 'string', multiple: true },
  help: { type: 'boolean' },
};

try {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [command, ...rest] = positionals;
  const { config, env: environment, release, folder, port = '0', clock, var: pairs = [] } = values;
  if (command === 'build' && rest.length === 0) {
    await build({ config, environment, release, folder });
  } else if (command === 'serve' && rest.length === 0) {
    const variables = Object.fromEntries(pairs.map((pair) => /^([^=]*)=?(.*)$/s.exec(pair).slice(1)));
    if (!/^\d+$/.test(port)) throw new Error(`“${port}” is not a port`);
    await serve({ folder, port: Number(port), clock, variables });
  } else {
    console.error(USAGE);
    process.exitCode = values.help ? 0 : 2;
  }
} catch (error) {
  console.error(`dormouse-test: ${error.message}`);
  process.exitCode = 1;
}
