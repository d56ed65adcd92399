// Packages of the system, where it is one that has apt and lets us install them.

import path from 'node:path';
import { Failure, cache, capture, run, say, which } from './shell.mjs';
import { withLock } from './lock.mjs';

/** Installs packages; where that is impossible, the failure says what to run. */
export async function installWithApt(packages, purpose) {
  const command = `apt-get install ${packages.join(' ')}`;
  const prefix = aptPrefix();
  if (!prefix || (prefix[0] && (await capture('sudo', ['-n', 'true'])) === undefined)) {
    throw new Failure(`${packages.join(' and ')} missing, ${purpose}: run \`sudo ${command}\` or what your system has instead`);
  }
  await withLock(path.join(cache, 'apt.lock'), 'installing packages', async () => {
    say(`installing ${packages.join(' and ')} ${purpose}`);
    const [program, ...args] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q'];
    const orElse = `could not install ${packages.join(' and ')}, see above: run \`sudo ${command}\``;
    await run(program, [...args, 'update'], { orElse });
    await run(program, [...args, 'install', '--yes', '--no-install-recommends', ...packages], { orElse });
  });
}

/** Returns the words before `apt-get`; `undefined` if there is no apt or no right to use it. */
function aptPrefix() {
  if (!which('apt-get')) return undefined;
  if (process.getuid() === 0) return [];
  return which('sudo') ? ['sudo', '-n'] : undefined;
}
