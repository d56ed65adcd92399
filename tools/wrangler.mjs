// Runs wrangler on a Node that it accepts.

import path from 'node:path';
import { root, run } from './shell.mjs';
import { modernNode } from './setup.mjs';
import { serve } from './serve.mjs';

const program = path.join(root, 'node_modules', 'wrangler', 'bin', 'wrangler.js');

// No telemetry, no offers, and no downloads for a server that is only local.
const env = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
};

/** Runs `wrangler dev` until it is stopped. Without a terminal it asks nothing. */
export async function dev(args) {
  await serve(await modernNode(), [program, 'dev', ...args], { env });
}

/** Runs `wrangler deploy`, which may have to ask for a login. */
export async function deploy(args) {
  await run(await modernNode(), [program, 'deploy', ...args], {
    env,
    stdin: 'inherit',
    orElse: 'nothing was deployed, see above',
  });
}
