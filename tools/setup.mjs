// Installs what a machine needs before anything here can be built or tested. Every
// step checks first and does nothing if nothing is missing, so the next time all of
// them together take a fraction of a second.
//
// What belongs to this clone goes into the clone (node_modules, .venv); programs of cargo's
// go into a cache (cargo-tools.mjs).

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Failure, atLeast, capture, isMain, main, root, run, say, which } from './shell.mjs';
import { installWithApt } from './apt.mjs';
import { ensureBindgen, ensureCargoTool } from './cargo-tools.mjs';
import { withLock } from './lock.mjs';
import { disagreements, nodeForWrangler } from './versions.mjs';

// This is beside node_modules and not in it, because `npm ci` begins by removing that.
const cloneLock = path.join(root, '.setup.lock');
const bin = (name) => path.join(root, 'node_modules', '.bin', name);

async function setUp() {
  const found = disagreements();
  if (found.length > 0) throw new Failure(found.join('; '));
  await ensureRust(['wasm32-unknown-unknown']);
  await ensureNpmPackages();
}

/**
 * Installs all that a development build needs. Resolves to esbuild, and to a function that has
 * wasm-bindgen make a Worker's JavaScript and its wasm in a folder.
 */
export async function setUpDevelopment() {
  await setUp();
  return { bindgen: await ensureBindgen(), esbuild: bin('esbuild') };
}

/** What cargo separates flags by in CARGO_ENCODED_RUSTFLAGS. */
const SEPARATOR = '\x1f';

/** Installs all that a build needs. Resolves to the worker-build program and its environment. */
export async function setUpBuild() {
  await setUp();
  const workerBuild = await ensureCargoTool('worker-build');
  const wasmBindgen = await ensureCargoTool('wasm-bindgen-cli');
  return {
    workerBuild: workerBuild['worker-build'],
    wasmBindgenTestRunner: wasmBindgen['wasm-bindgen-test-runner'],
    // worker-build downloads whatever these do not name.
    env: {
      WASM_BINDGEN_BIN: wasmBindgen['wasm-bindgen'],
      WASM_OPT_BIN: bin('wasm-opt'),
      WASM_METADCE_BIN: bin('wasm-metadce'),
      ESBUILD_BIN: bin('esbuild'),
      ...(await withoutOwnPaths()),
    },
  };
}

/**
 * Returns the variable by which the compiler names files of dependencies and of the standard
 * library, for messages of panics, in the same way on every machine: what is published does
 * not say where it was built.
 */
async function withoutOwnPaths() {
  const [version, sysroot] = await Promise.all([
    capture('rustc', ['--version', '--verbose']),
    capture('rustc', ['--print', 'sysroot']),
  ]);
  const { 1: commit } = /^commit-hash: (.*)$/m.exec(version);
  const cargo = process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo');
  const names = { [path.join(cargo, 'registry/src')]: '/cargo', [path.join(sysroot, 'lib/rustlib/src/rust')]: `/rustc/${commit}` };
  const { CARGO_ENCODED_RUSTFLAGS: encoded, RUSTFLAGS: plain = '' } = process.env;
  const others = encoded?.split(SEPARATOR) ?? plain.split(' ');
  const flags = Object.entries(names).map(([from, to]) => `--remap-path-prefix=${from}=${to}`);
  return { CARGO_ENCODED_RUSTFLAGS: [...others.filter(Boolean), ...flags].join(SEPARATOR) };
}

/** Finds a Node that wrangler and miniflare accept: this one, or the one npm installed. */
export async function modernNode() {
  if (atLeast(process.versions.node, nodeForWrangler)) return process.execPath;
  const version = await capture(bin('node'), ['--version']);
  if (version && atLeast(version.slice(1), nodeForWrangler)) return bin('node');
  throw new Failure(
    `wrangler needs Node ${nodeForWrangler} or newer and npm has none for this platform: install it from https://nodejs.org`,
  );
}

/** Installs a toolchain that is new enough, with these targets. */
export async function ensureRust(targets) {
  if (!which('cargo')) {
    // rustup was installed, and this shell has not been restarted since.
    const cargoBin = path.join(process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo'), 'bin');
    process.env.PATH = `${cargoBin}${path.delimiter}${process.env.PATH}`;
  }
  if (!which('cargo') || !which('rustc')) {
    throw new Failure('Rust is missing: install it as https://rustup.rs says, then run this again');
  }
  const [version, sysroot] = await Promise.all([
    capture('rustc', ['--version']),
    capture('rustc', ['--print', 'sysroot']),
  ]);
  if (!version || !sysroot) {
    throw new Failure('rustc does not run: `rustup default stable` gives rustup a toolchain');
  }
  const wanted = /^rust-version = "([^"]+)"/m.exec(read('Cargo.toml'))[1];
  const actual = version.split(' ')[1];
  if (!atLeast(actual, wanted)) {
    throw new Failure(`Rust ${wanted} or newer is needed, this is ${actual}: run \`rustup update\``);
  }
  const missing = targets.filter(
    (target) => !existsSync(path.join(sysroot, 'lib', 'rustlib', target)),
  );
  if (missing.length === 0) return;
  if (!which('rustup')) {
    throw new Failure(`this Rust has no ${missing.join(', ')}: install Rust as https://rustup.rs says`);
  }
  say(`adding ${missing.join(' and ')} to the Rust toolchain`);
  await run('rustup', ['target', 'add', ...missing], {
    orElse: `could not add ${missing.join(' and ')}, see above: run \`rustup target add ${missing.join(' ')}\``,
  });
}

/** Installs node_modules as in package-lock.json. */
export async function ensureNpmPackages() {
  if (npmPackagesAreThere()) return;
  await withLock(cloneLock, 'installing npm packages', async () => {
    if (npmPackagesAreThere()) return;
    say('installing npm packages');
    // `npm ci` replaces node_modules, so it must not run with the Node in there.
    const inside = path.join(root, 'node_modules');
    const PATH = process.env.PATH.split(path.delimiter)
      .filter((directory) => !path.resolve(directory).startsWith(inside))
      .join(path.delimiter);
    // Only wrangler needs more than Node 20, and gets it: npm's warning is misleading.
    const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
    await run('npm', args, { env: { PATH }, orElse: 'npm could not install the packages, see above' });
  });
}

/** Compares npm's own record in node_modules with the lockfile: as good as `npm ci`, in milliseconds. */
function npmPackagesAreThere() {
  const note = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(note)) return false;
  const wanted = JSON.parse(read('package-lock.json')).packages;
  const present = JSON.parse(readFileSync(note, 'utf8')).packages;
  const same = (name) => present[name].integrity === wanted[name]?.integrity;
  return (
    Object.keys(present).every(same) &&
    Object.keys(wanted).every((name) => name === '' || wanted[name].optional || present[name])
  );
}

/** Installs a C++ compiler, which builds libFuzzer. */
export async function ensureCompiler() {
  if (!which('c++', 'g++', 'clang++') && process.platform === 'linux') {
    await installWithApt(['g++', 'libc6-dev'], 'to build the fuzzer');
  }
}

/** Installs a browser for the tests, and its driver. */
export async function ensureBrowser() {
  const find = () => ({
    chromium: process.env.CHROMIUM ?? which('chromium', 'chromium-browser', 'google-chrome'),
    chromedriver: process.env.CHROMEDRIVER ?? which('chromedriver'),
  });
  let { chromium, chromedriver } = find();
  if (!chromium || !chromedriver) {
    await installWithApt(['chromium', 'chromium-driver'], 'for the browser tests');
    ({ chromium, chromedriver } = find());
  }
  return { chromium, chromedriver };
}

/** Installs the stock clients that are not npm's. Resolves to the variables by which tests find them. */
export async function ensureClients() {
  await ensurePhp();
  const programs = await ensureRustPrograms();
  return {
    DORMOUSE_PYTHON: await ensurePython(),
    DORMOUSE_PYTHON_OLD: await ensurePython('requirements-old.txt', '.venv-old'),
    DORMOUSE_PYTHON_API: await ensurePython('requirements-api.txt', '.venv-api'),
    DORMOUSE_RUST_CLIENT: path.join(programs, 'dormouse-rust-client'),
    DORMOUSE_SOCKETIOXIDE: path.join(programs, 'dormouse-socketioxide'),
  };
}

/** Installs a Python with the clients that a file of tests/python names, in its own folder. */
export async function ensurePython(file = 'requirements.txt', folder = '.venv') {
  const requirements = path.join(root, 'tests', 'python', file);
  const venv = path.join(root, folder);
  const python = path.join(venv, 'bin', 'python');
  const note = path.join(venv, '.requirements');
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  const done = () => existsSync(note) && readFileSync(note, 'utf8') === wanted && existsSync(python);
  if (done()) return python;
  await withLock(cloneLock, 'setting up Python', async () => {
    if (done()) return;
    say(`setting up Python for the tests (${folder})`);
    await createVenv(venv);
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements];
    await run(python, args, { orElse: `pip could not install tests/python/${file}, see above` });
    writeFileSync(note, wanted);
  });
  return python;
}

/** Makes sure that there is a PHP, for the back end of examples/gateway. */
export async function ensurePhp() {
  if (!which('php')) await installWithApt(['php-cli'], 'for the back end in PHP');
}

/** Builds the programs of tests/rust, and returns their folder. The client links the system's OpenSSL. */
export async function ensureRustPrograms() {
  const missing = !which('pkg-config') || (await capture('pkg-config', ['--exists', 'openssl'])) === undefined;
  if (missing && process.platform === 'linux') await installWithApt(['pkg-config', 'libssl-dev'], 'for the Rust client');
  const target = path.join(root, 'target', 'rust-client');
  const manifest = path.join(root, 'tests', 'rust', 'Cargo.toml');
  const args = ['build', '--quiet', '--locked', '--manifest-path', manifest, '--target-dir', target];
  await run('cargo', args, { orElse: 'could not build the programs in tests/rust, see above' });
  return path.join(target, 'debug');
}

/**
 * Fetches the browser builds of old clients that tests/browser/bundles.json names, and
 * gives back the folder they are in. They are not dependencies, because some of what
 * they depend on themselves is in no registry any more.
 */
export async function ensureOldBundles() {
  const folder = path.join(root, 'target', 'bundles');
  const bundles = Object.entries(JSON.parse(read('tests/browser/bundles.json')));
  const place = (name) => path.join(folder, `${name}.js`);
  const missing = () => bundles.filter(([name]) => !existsSync(place(name)));
  if (missing().length === 0) return folder;
  await withLock(cloneLock, 'fetching old clients', async () => {
    mkdirSync(folder, { recursive: true });
    for (const [name, { file, integrity }] of missing()) {
      const text = await capture('npm', ['pack', name, '--json', '--silent', '--pack-destination', folder]);
      const [packed] = text ? JSON.parse(text) : [];
      if (packed?.integrity !== integrity) throw new Failure(`npm has no ${name} with the checksum that is known`);
      const archive = path.join(folder, packed.filename);
      const args = ['-xzf', archive, '-C', folder, `package/${file}`];
      await run('tar', args, { orElse: `no ${file} in ${name}` });
      renameSync(path.join(folder, 'package', file), place(name));
      rmSync(archive);
    }
    rmSync(path.join(folder, 'package'), { recursive: true, force: true });
  });
  return folder;
}

async function createVenv(venv) {
  const create = async () => {
    rmSync(venv, { recursive: true, force: true });
    return (await capture('python3', ['-m', 'venv', venv])) !== undefined;
  };
  if (which('python3') && (await create())) return;
  // Debian has Python's venv module in a separate package.
  await installWithApt(['python3', 'python3-venv'], 'for the Python client');
  if (!(await create())) throw new Failure('`python3 -m venv .venv` fails: run it to see why');
}

function read(file) {
  return readFileSync(path.join(root, file), 'utf8');
}

// `node tools/setup.mjs [--clients] [target …]`: what a build needs; other Rust targets than that
// one; and with `--clients`, the stock clients.
if (isMain(import.meta)) {
  await main(async () => {
    const args = process.argv.slice(2);
    await setUpBuild();
    await ensureRust(args.filter((arg) => !arg.startsWith('--')));
    if (args.includes('--clients')) await ensureClients();
  });
}
