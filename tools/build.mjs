// Builds a Worker into the crate's own build/ directory: for release with worker-build,
// as users do, which runs cargo, wasm-bindgen, wasm-opt and esbuild; for development
// without it (development.mjs). And copies the client libraries for the pages in www/ from
// node_modules. wrangler.toml calls this, so it does not rely on anything having been
// prepared.
//
//   node tools/build.mjs [--force] [--dev] [--names] [--speed] [the crate's directory, `.` by default]
//
// Builds are for release, except in `wrangler dev`: there a development build, with checks
// for overflow and without the passes for size, takes seconds where a release takes half a
// minute.
//
// cargo knows what has to be compiled again, but worker-build runs the other steps
// each time. So the outcome is stored with a digest of all its inputs, and a build
// with the same digest is skipped.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, capture, isMain, main, root, run, say } from './shell.mjs';
import { buildForDevelopment } from './development.mjs';
import { withLock } from './lock.mjs';
import { modernNode, setUpBuild, setUpDevelopment } from './setup.mjs';

export const playground = '.';
export const testWorker = 'tests/worker';
export const gateway = 'examples/gateway';
export const recipes = 'examples/recipes';

/** What a Worker is made of besides its crate and ours. */
const more = { [recipes]: ['examples/migration'] };

/**
 * Builds the crate in this directory for release, if anything has changed; on
 * request for development, for speed instead of size, or with functions' names for a
 * profiler. Only one process at a time builds a crate: the others wait for what it makes.
 */
export async function build(crate = playground, options = {}) {
  const tools = options.dev ? await setUpDevelopment() : await setUpBuild();
  const name = crate === playground ? 'the Worker' : `the Worker in ${crate}`;
  await withLock(lockOf(crate), `building ${name}`, () => buildAlone(crate, name, tools, options));
}

/** Returns the lock that a process has while it builds a crate. */
export function lockOf(crate) {
  return path.join(root, 'target/locks', crate === playground ? 'playground' : crate.replaceAll('/', '-'));
}

async function buildAlone(crate, name, tools, { force = false, dev = false, names = false, speed = false }) {
  if (crate === playground) vendor();

  const out = path.join(root, crate, 'build');
  const note = path.join(out, '.digest');
  const wanted = [await digest(crate, tools.env), dev && 'dev', names && 'names', speed && 'speed'].filter(Boolean).join(' ');
  const outputs = ['index.js', 'index_bg.wasm'].map((file) => path.join(out, file));
  const current = [...outputs, note].every(existsSync) && readFileSync(note, 'utf8') === wanted;
  if (current && !force) {
    say(`${name} is built already`);
    return;
  }
  say(`building ${name}${dev ? ' for development' : ''}`);
  rmSync(note, { force: true });
  if (dev) await buildForDevelopment(crate, out, tools);
  else await buildForRelease(crate, out, tools, { names, speed });
  writeFileSync(note, wanted);
}

async function buildForRelease(crate, out, { workerBuild, env }, { names, speed }) {
  await run(workerBuild, [path.join(root, crate), '--release'], {
    // If the compiler complains, worker-build's own stack adds nothing.
    env: { ...env, RUST_BACKTRACE: '0', ...(speed && { CARGO_PROFILE_RELEASE_OPT_LEVEL: '3' }) },
    orElse: `could not build ${crate}, see above`,
  });
  if (!names) await strip(path.join(out, 'index_bg.wasm'), env);
}

/** The WebAssembly features that cargo and wasm-bindgen use, and that all current engines support. */
const FEATURES = [
  'bulk-memory',
  'bulk-memory-opt',
  'exception-handling',
  'extended-const',
  'multivalue',
  'mutable-globals',
  'nontrapping-float-to-int',
  'reference-types',
  'sign-ext',
];

/**
 * Strips what nobody needs: exports that nobody can call, and the functions' names, a
 * seventh of the whole, which worker-build leaves in. A panic still has its message and
 * its position in the source.
 */
export async function strip(file, env) {
  const features = FEATURES.map((feature) => `--enable-${feature}`);
  await prune(file, features, env);
  // Rust puts its stack, and nothing else, at the low end of the memory. Functions of similar
  // names are similar, and compressed by a hundredth more beside each other.
  const passes = ['-Os', '--low-memory-unused', '--reorder-functions-by-name', '--strip-debug', '--strip-producers'];
  await run(env.WASM_OPT_BIN, [...features, ...passes, file, '-o', file], { orElse: `could not strip ${file}` });
}

/**
 * Removes what is exported for classes of which there is never an instance: `worker` and
 * `wasm-streams` bring some along for what is not used here, and whatever is exported is
 * linked. JavaScript makes an instance by an export, and Rust by an import.
 */
async function prune(file, features, { WASM_METADCE_BIN: metadce }) {
  const { exports: names, imports } = await namesIn(file);
  const makers = [...names, ...imports.map((name) => name.replace('__wbg_', ''))];
  const classes = names.map((name) => /^__wbg_(.+)_free$/.exec(name)?.[1]).filter(Boolean);
  const unused = classes.filter((name) => !makers.includes(`${name}_new`));
  const belongs = (name) => unused.some((it) => RegExp(`^(__wbg_|__wbg_[gs]et_)?${it}_`).test(name));
  const roots = names.filter((name) => !belongs(name)).map((name) => ({ name, export: name, root: true }));
  const graph = `${file}.graph.json`;
  writeFileSync(graph, JSON.stringify(roots));
  const told = await capture(metadce, [...features, file, '-g', '--graph-file', graph, '-o', file]);
  rmSync(graph);
  if (told === undefined) throw new Failure(`could not remove unused exports from ${file}`);
}

/** Returns the names that a module exports and imports. Node 20 cannot read all of its types. */
async function namesIn(file) {
  const script = `
    const module = new WebAssembly.Module(require('node:fs').readFileSync(process.argv[1]));
    const names = (kind) => WebAssembly.Module[kind](module).map(({ name }) => name);
    console.log(JSON.stringify({ exports: names('exports'), imports: names('imports') }));
  `;
  const told = await capture(await modernNode(), ['--eval', script, file]);
  if (told === undefined) throw new Failure(`could not read ${file}`);
  return JSON.parse(told);
}

/** Returns the digest of every file, version and setting that the outcome depends on. */
async function digest(crate, env) {
  const hash = createHash('sha256');
  const { RUSTFLAGS, CARGO_ENCODED_RUSTFLAGS } = { ...process.env, ...env };
  hash.update(JSON.stringify([RUSTFLAGS, CARGO_ENCODED_RUSTFLAGS]));
  hash.update((await capture('rustc', ['--version', '--verbose'])) ?? '');
  const sources = ['Cargo.toml', 'Cargo.lock', 'tools/build.mjs', 'tools/development.mjs', 'tools/shim.js', 'tools/versions.mjs', 'src'];
  if (crate !== playground) sources.push(crate, ...(more[crate] ?? []));
  const files = sources.flatMap(filesIn).filter((file) => !file.startsWith(`${crate}/build/`));
  for (const file of files.sort()) {
    const contents = readFileSync(path.join(root, file));
    hash.update(`${file}\0${contents.length}\0`).update(contents);
  }
  return hash.digest('hex');
}

/** Returns the files at and below a path, if it exists. */
function filesIn(name) {
  const found = statSync(path.join(root, name), { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found ? [name] : [];
  return readdirSync(path.join(root, name)).flatMap((child) => filesIn(`${name}/${child}`));
}

/**
 * Copies the client libraries beside the pages, which load nothing from elsewhere;
 * that of Socket.IO to where users expect it.
 */
function vendor() {
  copy('engine.io-client', 'vendor', ['engine.io.esm.min.js']);
  copy('socket.io-client', 'socket.io', ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js']);
  redirect();
}

/** Leads from the pages to the project, whose address is in Cargo.toml. */
function redirect() {
  const repository = /^repository = "(.*)"/m.exec(readFileSync(path.join(root, 'Cargo.toml'), 'utf8'))[1];
  const lines = [`/source ${repository} 302`, `/documentation ${repository}/blob/main/docs/README.md 302`];
  writeIfChanged(path.join(root, 'www', '_redirects'), `${lines.join('\n')}\n`);
}

/** `wrangler dev` watches the pages, and reloads them when a file is written. */
function writeIfChanged(file, contents) {
  if (!existsSync(file) || !readFileSync(file).equals(Buffer.from(contents))) writeFileSync(file, contents);
}

/** Copies files of an npm package, with their source maps, to a folder of the pages. */
function copy(name, folder, files) {
  const from = path.join(root, 'node_modules', name, 'dist');
  const to = path.join(root, 'www', folder);
  mkdirSync(to, { recursive: true });
  for (const file of files.flatMap((file) => [file, `${file}.map`])) {
    writeIfChanged(path.join(to, file), readFileSync(path.join(from, file)));
  }
}

if (isMain(import.meta)) {
  await main(async () => {
    const args = process.argv.slice(2);
    const crates = args.filter((arg) => !arg.startsWith('--'));
    const crate = path.relative(root, path.resolve(crates[0] ?? root)) || playground;
    await build(crate, {
      force: args.includes('--force'),
      // Wrangler says which of its commands it builds for.
      dev: args.includes('--dev') || process.env.WRANGLER_COMMAND === 'dev',
      names: args.includes('--names'),
      speed: args.includes('--speed'),
    });
  });
}
