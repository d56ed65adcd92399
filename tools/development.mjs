// A development build of a Worker, as `npm start` and `wrangler dev` make it: not optimized,
// with names and checks. It does without worker-build, which takes longer to install than all
// the rest, and otherwise has what a release has.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, root, run } from './shell.mjs';

/** Builds the crate in a directory into a folder, with what is set up for that. */
export async function buildForDevelopment(crate, out, { bindgen, esbuild }) {
  const orElse = `could not build ${crate}, see above`;
  const made = path.join(out, '.made');
  const { 1: name } = /^name = "(.*)"/m.exec(readFileSync(path.join(root, crate, 'Cargo.toml'), 'utf8'));
  await run('cargo', ['build', '--lib', '--target', 'wasm32-unknown-unknown', '--package', name], { orElse });
  const wasm = path.join(root, 'target/wasm32-unknown-unknown/debug', `${name.replaceAll('-', '_')}.wasm`);
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  await bindgen(wasm, made);
  const glue = path.join(made, 'index.js');
  writeFileSync(glue, importWasm(readFileSync(glue, 'utf8'), 'index_bg.wasm'));
  await bundle(esbuild, made, out, orElse);
  renameSync(path.join(made, 'index_bg.wasm'), path.join(out, 'index_bg.wasm'));
  rmSync(made, { recursive: true });
}

/**
 * Returns the JavaScript of wasm-bindgen with the import of its wasm as it is for bundlers,
 * which do not know the phase `source` yet: what they import is the module all the same.
 */
export function importWasm(glue, file) {
  const imported = glue.replace('import source wasmModule from "./index_bg.wasm"', `import wasmModule from "./${file}"`);
  if (imported === glue) throw new Failure('wasm-bindgen does not import its wasm as it did');
  return imported;
}

async function bundle(esbuild, made, out, orElse) {
  const classes = [...readFileSync(path.join(made, 'index.js'), 'utf8').matchAll(/^export class (\w+)/gm)];
  const shim = JSON.stringify(path.join(root, 'tools/shim.js'));
  const lines = [
    `import { durable } from ${shim};`,
    `import * as wasm from 'worker-wasm';`,
    ...classes.map(([, name]) => `export const ${name} = durable(wasm.${name});`),
    `export { default } from ${shim};`,
  ];
  const entry = path.join(made, 'entry.js');
  writeFileSync(entry, lines.join('\n'));
  const args = [
    entry,
    ...['--bundle', '--format=esm', '--target=es2023', '--platform=neutral', '--log-level=warning'],
    `--alias:worker-wasm=${path.join(made, 'index.js')}`,
    ...['--external:./index_bg.wasm', '--external:cloudflare:*'],
    `--outfile=${path.join(out, 'index.js')}`,
  ];
  await run(esbuild, args, { orElse });
}
