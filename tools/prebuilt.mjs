// Tools that their project publishes as programs are downloaded, which takes seconds where
// compiling them takes minutes. What is downloaded counts only with the checksum that is
// published beside it: that finds what was damaged or mixed up on the way, and not what
// whoever publishes both has replaced.

import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { capture, say } from './shell.mjs';

/** The file that an installation from here has, beside the folder `bin`. */
export const NOTE = '.downloaded';

/**
 * What is published, by the name of the cargo package: where, below the address of GitHub or of
 * a mirror, and under which name. The checksum is beside it, as `sha256sum` writes it. Of
 * worker-build there is nothing: cloudflare/workers-rs releases its source alone.
 */
const PUBLISHED = {
  'wasm-bindgen-cli': (version, target) => ({
    place: `wasm-bindgen/wasm-bindgen/releases/download/${version}`,
    name: `wasm-bindgen-${version}-${target}`,
  }),
};

/** Those for Linux are linked with musl, and so need nothing of the system. */
const TARGETS = {
  'linux-x64': 'x86_64-unknown-linux-musl',
  'linux-arm64': 'aarch64-unknown-linux-musl',
  'darwin-x64': 'x86_64-apple-darwin',
  'darwin-arm64': 'aarch64-apple-darwin',
};

/** How long the checksum may take, which is all that a closed network costs, and the archive. */
const LIMITS = { checksum: 5_000, archive: 120_000 };

/**
 * Installs the programs of a cargo package into `bin` of a folder that replaces this one at
 * once. Resolves to whether it has; if not, though there should be something to install, one
 * line says why.
 */
export async function installPrebuilt(name, version, programs, directory, { from = mirror(), limits = LIMITS } = {}) {
  const target = TARGETS[`${process.platform}-${process.arch}`];
  const published = target && PUBLISHED[name]?.(version, target);
  if (!published) return false;
  const unpacked = `${directory}.part`;
  rmSync(unpacked, { recursive: true, force: true });
  try {
    const url = `${from}/${published.place}/${published.name}.tar.gz`;
    const checksum = await readChecksum(`${url}.sha256sum`, limits.checksum);
    say(`downloading ${name} ${version}, once for all clones (${directory})`);
    const archive = await download(url, checksum, limits.archive);
    await unpack(archive, published.name, programs, unpacked);
    await tryOut(programs, version, unpacked);
    writeFileSync(path.join(unpacked, NOTE), `${from}/${published.place}\n`);
    rmSync(directory, { recursive: true, force: true });
    renameSync(unpacked, directory);
    return true;
  } catch (error) {
    say(`${name} ${version} cannot be downloaded: ${reason(error)}`);
    return false;
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

/** The address that stands for GitHub's, without the last slash. */
function mirror() {
  return (process.env.DORMOUSE_TOOLS_MIRROR || 'https://github.com').replace(/\/+$/, '');
}

async function readChecksum(url, limit) {
  const text = (await get(url, limit)).toString();
  const { 1: checksum } = /^([0-9a-f]{64})\b/.exec(text) ?? [];
  if (!checksum) throw new Error(`${url} is not a checksum`);
  return checksum;
}

/** Returns the bytes of an archive that has this checksum. */
async function download(url, checksum, limit) {
  const archive = await get(url, limit);
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual !== checksum) throw new Error(`${url} does not have its checksum`);
  return archive;
}

async function get(url, limit) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(limit) });
    if (answer.ok) return Buffer.from(await answer.arrayBuffer());
    throw new Error(`status ${answer.status}`);
  } catch (error) {
    throw new Error(`${url}: ${error.name === 'TimeoutError' ? `not there within ${limit / 1_000} s` : reason(error)}`);
  }
}

/** Unpacks the programs alone. */
async function unpack(archive, name, programs, directory) {
  const bin = path.join(directory, 'bin');
  mkdirSync(bin, { recursive: true });
  const file = path.join(directory, 'archive.tar.gz');
  writeFileSync(file, archive);
  const wanted = programs.map((program) => `${name}/${program}`);
  const done = await capture('tar', ['-xzf', file, '-C', bin, '--strip-components=1', ...wanted]);
  if (done === undefined) throw new Error('tar does not unpack it');
  rmSync(file);
}

/** Fails unless this machine can run the programs, and they are of this version. */
async function tryOut(programs, version, directory) {
  for (const program of programs) {
    const said = await capture(path.join(directory, 'bin', program), ['--version']);
    if (!said?.split(/\s+/).includes(version)) throw new Error(`${program} does not run here, or has another version`);
  }
}

/** What `fetch` says of a network is in the cause. */
function reason(error) {
  return error.cause?.code ?? error.cause?.message ?? error.message;
}
