// Servers on this machine: they run until someone stops them, and leave nothing.

import { spawn } from 'node:child_process';
import net from 'node:net';
import { Failure, root } from './shell.mjs';

export const host = '127.0.0.1';

// workerd answers held polls before it obeys a signal, and a poll may be held for minutes.
const PATIENCE = 3_000;

/** Checked before a build, which may take minutes, and not after it. */
export function ensurePortIsFree(port, orElse) {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', ({ code }) => {
      reject(new Failure(`port ${port} cannot be used (${code}): ${orElse}`));
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(resolve));
  });
}

/**
 * Runs a program until this process is told to stop. The program has its own process
 * group, so that everything it has started can be ended with it.
 */
export async function serve(program, args, { env } = {}) {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, ...env },
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
  if (!stopped) throw new Failure(`the server ended by itself (${code}), see above`);
}

function signal(group, name) {
  try {
    process.kill(-group, name);
  } catch {
    // Nothing is left of the group.
  }
}
