// Runs wrangler on a Node that it accepts.

import { spawn } from 'node:child_process';
import path from 'node:path';
import { Failure, root, run } from './shell.mjs';
import { modernNode } from './setup.mjs';

const program = path.join(root, 'node_modules', 'wrangler', 'bin', 'wrangler.js');

// No telemetry, no offers, and nothing fetched for a server that is only local.
const env = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
};

// workerd answers held polls before it obeys a signal, and a poll may be held for minutes.
const PATIENCE = 3_000;

/** Runs wrangler to its end; it may ask its user something (who to log in as, for example). */
export async function wrangler(args) {
  await run(await modernNode(), [program, ...args], {
    env,
    stdin: 'inherit',
    orElse: `wrangler ${args[0]} failed, see above`,
  });
}

/**
 * Runs wrangler until someone stops this process, and sees to it that nothing
 * of it is left then: it has a process group of its own, which is ended as a whole.
 */
export async function serve(args) {
  const child = spawn(await modernNode(), [program, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    // Without a terminal to read from, wrangler asks nothing.
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    signal(child.pid, 'SIGINT');
    setTimeout(() => signal(child.pid, 'SIGKILL'), PATIENCE).unref();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, stop);
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  signal(child.pid, 'SIGKILL');
  if (!stopped) throw new Failure(`wrangler ${args[0]} ended (${code}), see above`);
}

function signal(group, name) {
  try {
    process.kill(-group, name);
  } catch {
    // Nothing is left of the group.
  }
}
