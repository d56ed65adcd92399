// Builds a Worker: cargo, wasm-bindgen, wasm-opt and esbuild, in worker-build's
// hands, into the crate's own build/ directory; and copies the client library
// for the pages in www/ out of node_modules. wrangler.toml calls this, so it
// needs nobody to have prepared anything.
//
//   node tools/build.mjs [--force] [the crate's directory, `.` by default]
//
// cargo knows what has to be compiled again, but worker-build goes through the
// other steps each time. So the outcome is noted down with a digest of all that
// went into it, and a build with the same digest is done before it begins.

import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { capture, isMain, main, root, run, say } from './shell.mjs';
import { setUpBuild } from './setup.mjs';
import { cargoTools } from './versions.mjs';

export const playground = '.';
export const testWorker = 'tests/worker';

/** Builds the crate in this directory for release, if anything changed. */
export async function build(crate = playground, { force = false } = {}) {
  const { workerBuild, env } = await setUpBuild();
  if (crate === playground) vendor();

  const out = path.join(root, crate, 'build');
  const note = path.join(out, '.digest');
  const name = crate === playground ? 'the Worker' : `the Worker in ${crate}`;
  const wanted = await digest(crate);
  const outputs = ['index.js', 'index_bg.wasm'].map((file) => path.join(out, file));
  const current = [...outputs, note].every(existsSync) && readFileSync(note, 'utf8') === wanted;
  if (current && !force) {
    say(`${name} is built already`);
    return;
  }
  say(`building ${name}`);
  rmSync(note, { force: true });
  await run(workerBuild, [path.join(root, crate), '--release'], { env });
  writeFileSync(note, wanted);
}

/** Of every file, version and setting that the outcome depends on. */
async function digest(crate) {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([cargoTools, process.env.RUSTFLAGS, process.env.CARGO_ENCODED_RUSTFLAGS]));
  hash.update((await capture('rustc', ['--version', '--verbose'])) ?? '');
  const sources = ['Cargo.toml', 'Cargo.lock', 'package-lock.json', 'tools/build.mjs', 'src'];
  if (crate !== playground) sources.push(crate);
  for (const file of sources.flatMap(filesIn).sort()) {
    const contents = readFileSync(path.join(root, file));
    hash.update(`${file}\0${contents.length}\0`).update(contents);
  }
  return hash.digest('hex');
}

/** The files at and below a path, without what builds leave there. */
function filesIn(name) {
  if (!existsSync(path.join(root, name))) return [];
  let entries;
  try {
    entries = readdirSync(path.join(root, name), { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOTDIR') return [name];
    throw error;
  }
  return entries
    .filter((entry) => !['build', 'target', 'node_modules'].includes(entry.name))
    .flatMap((entry) => {
      const child = `${name}/${entry.name}`;
      return entry.isDirectory() ? filesIn(child) : entry.isFile() ? [child] : [];
    });
}

/** The pages load nothing from elsewhere, so the client library is served beside them. */
function vendor() {
  const from = path.join(root, 'node_modules', 'engine.io-client', 'dist');
  const to = path.join(root, 'www', 'vendor');
  mkdirSync(to, { recursive: true });
  for (const file of ['engine.io.esm.min.js', 'engine.io.esm.min.js.map']) {
    copyFileSync(path.join(from, file), path.join(to, file));
  }
}

if (isMain(import.meta)) {
  await main(async () => {
    const args = process.argv.slice(2);
    const crates = args.filter((arg) => !arg.startsWith('--'));
    await build(crates[0], { force: args.includes('--force') });
  });
}
