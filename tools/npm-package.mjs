// `npm run package:npm`: builds the npm package dormouse-io, and packs it into target/npm/.
// Its wasm is that of src/js, its JavaScript that of packages/dormouse-io.
//
//   target/npm/wasm/         what wasm-bindgen makes of the crate
//   target/npm/package/      the package, as it is published
//   target/npm/dormouse-io-….tgz
//
// `--dev` compiles the crate for development: quicker, and several times as large.

import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMain, main, root, run, say } from './shell.mjs';
import { setUpBuild } from './setup.mjs';
import { strip } from './build.mjs';

const source = path.join(root, 'packages/dormouse-io');
const out = path.join(root, 'target/npm');
const wasm = path.join(out, 'wasm');
const folder = path.join(out, 'package');

/** Builds and packs the package. Returns the tarball's path. */
export async function pack({ dev = false } = {}) {
  const { env } = await setUpBuild();
  await buildWasm(env, dev);
  // And what has been tried with the one before.
  for (const old of [folder, path.join(out, 'tried')]) rmSync(old, { recursive: true, force: true });
  mkdirSync(path.join(folder, 'dist'), { recursive: true });
  await bundle(env);
  const bin = (name) => path.join(root, 'node_modules/.bin', name);
  await run(bin('tsc'), ['--project', source], { orElse: 'the types of dormouse-io are wrong, see above' });
  for (const file of ['package.json', 'README.md']) cpSync(path.join(source, file), path.join(folder, file));
  for (const file of ['LICENSE-APACHE', 'LICENSE-MIT']) cpSync(path.join(root, file), path.join(folder, file));
  const { version } = JSON.parse(readFileSync(path.join(source, 'package.json'), 'utf8'));
  await run('npm', ['pack', '--silent', '--pack-destination', out], { cwd: folder, orElse: 'npm could not pack it' });
  const tarball = path.join(out, `dormouse-io-${version}.tgz`);
  say(`packed ${path.relative(root, tarball)}`);
  return tarball;
}

async function buildWasm(env, dev) {
  const profile = dev ? 'debug' : 'release';
  const args = ['build', '--target', 'wasm32-unknown-unknown', '--package', 'dormouse-js'];
  await run('cargo', [...args, ...(dev ? [] : ['--release'])], { orElse: 'could not build src/js, see above' });
  rmSync(wasm, { recursive: true, force: true });
  // As worker-build does, whose shim is not used: its classes are proxies, and it exports
  // classes of others.
  const bindgen = [
    ...['--target', 'module', '--out-name', 'index', '--out-dir', wasm],
    ...['--experimental-reset-state-function', '--force-enable-abort-handler'],
    path.join(root, 'target/wasm32-unknown-unknown', profile, 'dormouse_js.wasm'),
  ];
  await run(env.WASM_BINDGEN_BIN, bindgen, { orElse: 'wasm-bindgen failed, see above' });
  if (!dev) await strip(path.join(wasm, 'index_bg.wasm'), env);
  const glue = path.join(wasm, 'index.js');
  const text = readFileSync(glue, 'utf8');
  // Bundlers do not know the phase `source` yet; what they import is the module all the same.
  const imported = text.replace('import source wasmModule from "./index_bg.wasm"', 'import wasmModule from "./dormouse.wasm"');
  if (imported === text) throw new Error(`${glue} does not import its wasm as it did`);
  writeFileSync(glue, imported);
}

/** Bundles the JavaScript of both halves into one file beside the wasm. */
async function bundle(env) {
  const dist = path.join(folder, 'dist');
  const args = [
    path.join(source, 'src/index.ts'),
    ...['--bundle', '--format=esm', '--target=es2023', '--platform=neutral', '--sourcemap'],
    // Names stay, for stacks; whoever bundles the Worker may shorten them.
    ...['--minify-whitespace', '--minify-syntax', '--legal-comments=none'],
    `--alias:dormouse-wasm=${path.join(wasm, 'index.js')}`,
    ...['--external:./dormouse.wasm', '--external:cloudflare:*', '--external:node:*'],
    `--outfile=${path.join(dist, 'index.js')}`,
  ];
  await run(env.ESBUILD_BIN, args, { orElse: 'could not bundle dormouse-io, see above' });
  renameSync(path.join(wasm, 'index_bg.wasm'), path.join(dist, 'dormouse.wasm'));
}

if (isMain(import.meta)) {
  await main(() => pack({ dev: process.argv.includes('--dev') }));
}
