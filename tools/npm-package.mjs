// `npm run package:npm`: packs the npm packages into target/npm/. dormouse-io has to be built
// first: its wasm is that of src/js, its JavaScript that of packages/dormouse-io. dormouse-test
// is published as it stands.
//
//   target/npm/wasm/         what wasm-bindgen makes of the crate, for each entry
//   target/npm/package/      the packages, as they are published
//   target/npm/….tgz
//
// `--dev` compiles the crate for development: quicker, and several times as large.

import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, isMain, main, root, run, say } from './shell.mjs';
import { withLock } from './lock.mjs';
import { setUpBuild } from './setup.mjs';
import { strip } from './build.mjs';
import { workerArgs } from './cargo-tools.mjs';
import { importWasm } from './development.mjs';
import { packages } from './versions.mjs';

const out = path.join(root, 'target/npm');
/** The entries of dormouse-io: the features of the crate, and the wasm in the package. */
const entries = {
  index: { features: [], wasm: 'dormouse.wasm' },
  spread: { features: ['spread'], wasm: 'spread.wasm' },
};
const folder = (name) => path.join(out, 'package', name);
const source = (name) => path.join(root, packages[name]);

/** What fills the folders of the packages, beside what all of them have. */
const fill = {
  'dormouse-io': async ({ dev }) => {
    const { env } = await setUpBuild();
    for (const name of Object.keys(entries)) {
      await buildWasm(env, name, dev);
      await bundle(env, name);
    }
    const tsc = path.join(root, 'node_modules/.bin/tsc');
    await run(tsc, ['--project', source('dormouse-io')], { orElse: 'the types of dormouse-io are wrong, see above' });
  },
  'dormouse-test': () => cpSync(path.join(source('dormouse-test'), 'src'), path.join(folder('dormouse-test'), 'src'), { recursive: true }),
};

/** Builds and packs packages, by default all. Only one process at a time does. */
export function pack(options) {
  return withLock(path.join(root, 'target/locks/npm'), 'packing the npm packages', () => packAlone(options));
}

async function packAlone({ dev = false, names = Object.keys(packages) } = {}) {
  mkdirSync(out, { recursive: true });
  for (const name of names) {
    const into = folder(name);
    // And what has been tried with the one before.
    for (const old of [into, path.join(out, 'tried')]) rmSync(old, { recursive: true, force: true });
    for (const old of tarballs(name)) rmSync(old);
    mkdirSync(into, { recursive: true });
    await fill[name]({ dev });
    for (const [file, text] of Object.entries(published(name))) writeFileSync(path.join(into, file), text);
    for (const file of ['LICENSE-APACHE', 'LICENSE-MIT']) cpSync(path.join(root, file), path.join(into, file));
    await run('npm', ['pack', '--silent', '--pack-destination', out], { cwd: into, orElse: `npm could not pack ${name}` });
    say(`packed ${path.relative(root, tarball(name))}`);
  }
}

/**
 * Returns the files of a package that say where it comes from, by their names. npm compares
 * `repository` with where the release was built, and its readers have no other file beside the
 * README.
 */
export function published(name) {
  const read = (file) => readFileSync(path.join(source(name), file), 'utf8');
  const { 1: repository } = /^repository = "(.*)"/m.exec(readFileSync(path.join(root, 'Cargo.toml'), 'utf8'));
  const manifest = JSON.parse(read('package.json'));
  manifest.repository = { type: 'git', url: `git+${repository}.git`, directory: packages[name] };
  return {
    'package.json': `${JSON.stringify(manifest, null, 2)}\n`,
    'README.md': read('README.md').replaceAll('](../../', `](${repository}/blob/v${manifest.version}/`),
  };
}

/** Returns the file that a package was packed into. */
export function tarball(name) {
  const [found] = tarballs(name);
  if (!found) throw new Failure(`${name} is not packed: \`npm run package:npm\` does it`);
  return found;
}

function tarballs(name) {
  const files = existsSync(out) ? readdirSync(out) : [];
  return files.filter((file) => file.startsWith(`${name}-`) && file.endsWith('.tgz')).map((file) => path.join(out, file));
}

/** What wasm-bindgen makes of the crate for an entry. */
const wasmOf = (name) => path.join(out, 'wasm', name);

async function buildWasm(env, name, dev) {
  const wasm = wasmOf(name);
  const features = entries[name].features.flatMap((feature) => ['--features', feature]);
  const profile = dev ? 'debug' : 'release';
  const args = ['build', '--target', 'wasm32-unknown-unknown', '--package', 'dormouse-js', ...features];
  await run('cargo', [...args, ...(dev ? [] : ['--release'])], { env, orElse: 'could not build src/js, see above' });
  rmSync(wasm, { recursive: true, force: true });
  // As worker-build does, whose shim is not used: its classes are proxies, and it exports
  // classes of others.
  const compiled = path.join(root, 'target/wasm32-unknown-unknown', profile, 'dormouse_js.wasm');
  await run(env.WASM_BINDGEN_BIN, [...workerArgs(wasm), compiled], { orElse: 'wasm-bindgen failed, see above' });
  if (!dev) await strip(path.join(wasm, 'index_bg.wasm'), env);
  const glue = path.join(wasm, 'index.js');
  const imported = importWasm(readFileSync(glue, 'utf8'), entries[name].wasm);
  writeFileSync(glue, imported);
}

/** Bundles the JavaScript of both halves into one file beside the wasm. */
async function bundle(env, name) {
  const wasm = wasmOf(name);
  const dist = path.join(folder('dormouse-io'), 'dist');
  mkdirSync(dist, { recursive: true });
  const args = [
    path.join(source('dormouse-io'), 'src/index.ts'),
    ...['--bundle', '--format=esm', '--target=es2023', '--platform=neutral', '--sourcemap'],
    // Names stay, for stacks; whoever bundles the Worker may shorten them.
    ...['--minify-whitespace', '--minify-syntax', '--legal-comments=none'],
    `--alias:dormouse-wasm=${path.join(wasm, 'index.js')}`,
    `--define:SPREADS=${name === 'spread'}`,
    ...[`--external:./${entries[name].wasm}`, '--external:cloudflare:*', '--external:node:*'],
    `--outfile=${path.join(dist, `${name}.js`)}`,
  ];
  await run(env.ESBUILD_BIN, args, { orElse: 'could not bundle dormouse-io, see above' });
  renameSync(path.join(wasm, 'index_bg.wasm'), path.join(dist, entries[name].wasm));
}

if (isMain(import.meta)) {
  await main(() => pack({ dev: process.argv.includes('--dev') }));
}
