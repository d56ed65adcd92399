// The programs that builds need from Rust's registry. They go into a cache that all clones of a
// user share, with one directory per version, so that neither ~/.cargo/bin nor another project
// is affected.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { cache, capture, root, run, say, which } from './shell.mjs';
import { installWithApt } from './apt.mjs';
import { withLock } from './lock.mjs';
import { NOTE, installPrebuilt } from './prebuilt.mjs';
import { cargoTools } from './versions.mjs';

/** The programs of each package. */
const PROGRAMS = {
  'worker-build': ['worker-build'],
  'wasm-bindgen-cli': ['wasm-bindgen', 'wasm-bindgen-test-runner'],
};

/** Our own wasm-bindgen. */
const bindgenTarget = path.join(cache, `bindgen-${cargoTools['wasm-bindgen-cli']}`);
const bindgen = path.join(bindgenTarget, 'release', 'dormouse-bindgen');

/** What is set for the project, and not meant for its tools. */
const NOT_FOR_TOOLS = { CARGO_BUILD_TARGET: undefined, RUSTFLAGS: undefined, CARGO_ENCODED_RUSTFLAGS: undefined };

/** Returns the paths of a package's programs, by name, after installing it if necessary. */
export async function ensureCargoTool(name) {
  const files =
    (await findCargoTool(name)) ??
    (await installed(name, async () => {
      await compileCargoTool(name, cargoTools[name], directoryOf(name));
      return cached(name);
    }));
  return Object.fromEntries(PROGRAMS[name].map((program, i) => [program, files[i]]));
}

/**
 * Returns a function that has wasm-bindgen make a Worker's JavaScript and its wasm, which can be
 * replaced, in a folder: wasm-bindgen's own program where it is there or can be downloaded, and
 * otherwise ours, which is compiled much sooner.
 */
export async function ensureBindgen() {
  // Who has compiled ours need not be asked for the other again.
  const [program] = (existsSync(bindgen) ? await present('wasm-bindgen-cli') : await findCargoTool('wasm-bindgen-cli')) ?? [];
  if (!program) return ensureOwnBindgen();
  return (wasm, out) => run(program, [...workerArgs(out), '--no-typescript', wasm], { orElse: FAILED });
}

/** The same, always with ours. */
export async function ensureOwnBindgen() {
  await compileBindgen();
  return (wasm, out) => run(bindgen, [wasm, out], { orElse: FAILED });
}

const FAILED = 'wasm-bindgen failed, see above';

/** The arguments that worker-build gives to wasm-bindgen, except for what is made of types. */
export const workerArgs = (out) => [
  ...['--target', 'module', '--out-name', 'index', '--out-dir', out],
  ...['--experimental-reset-state-function', '--force-enable-abort-handler'],
];

/** Compiles our own wasm-bindgen, if it has changed. */
async function compileBindgen() {
  const manifest = path.join(root, 'tools', 'bindgen', 'Cargo.toml');
  const args = ['build', '--release', '--quiet', '--locked', '--manifest-path', manifest, '--target-dir', bindgenTarget];
  await withLock(`${bindgenTarget}.lock`, 'building dormouse-bindgen', async () => {
    if (!existsSync(bindgen)) say(`building dormouse-bindgen, once for all clones (${bindgenTarget})`);
    await ensureNativeLibraries('dormouse-bindgen');
    await run('cargo', args, { cwd: cache, env: NOT_FOR_TOOLS, orElse: 'could not build dormouse-bindgen, see above' });
  });
}

/** Returns the programs that are there, or can be downloaded. */
async function findCargoTool(name) {
  return (
    (await present(name)) ??
    (await installed(name, async () => {
      await installPrebuilt(name, cargoTools[name], PROGRAMS[name], directoryOf(name));
      return cached(name);
    }))
  );
}

/** Returns the programs that are there. */
async function present(name) {
  return cached(name) ?? (await onPath(PROGRAMS[name], cargoTools[name]));
}

/** Installs something, or waits until somebody else has. */
function installed(name, install) {
  mkdirSync(cache, { recursive: true });
  return withLock(`${directoryOf(name)}.lock`, `installing ${name}`, () => cached(name) ?? install());
}

const directoryOf = (name) => path.join(cache, `${PROGRAMS[name][0]}-${cargoTools[name]}`);

/** Returns the programs in the cache, if they are whole. */
function cached(name) {
  const directory = directoryOf(name);
  const files = PROGRAMS[name].map((program) => path.join(directory, 'bin', program));
  // Cargo writes its file last, and the other is in what is downloaded: without either of
  // them, an installation was interrupted.
  const isWhole = ['.crates.toml', NOTE].some((note) => existsSync(path.join(directory, note)));
  return isWhole && files.every(existsSync) ? files : undefined;
}

/** Returns the programs that the user already has in exactly this version. */
async function onPath(programs, version) {
  const files = programs.map((program) => which(program));
  if (!files.every(Boolean)) return undefined;
  const texts = await Promise.all(files.map((file) => capture(file, ['--version'])));
  return texts.every((text) => text?.split(/\s+/).includes(version)) ? files : undefined;
}

/**
 * How the tools are compiled, since someone waits for that and each of them runs for a
 * second. worker-build only starts others; wasm-bindgen's talk to a browser on this machine,
 * which needs no TLS.
 */
const COMPILATION = {
  'worker-build': { optLevel: '0', args: ['--bin', 'worker-build'] },
  'wasm-bindgen-cli': { optLevel: '1', args: ['--no-default-features'] },
};

async function compileCargoTool(name, version, directory) {
  mkdirSync(cache, { recursive: true });
  // This is not in the clone, where the project's configuration of cargo would apply.
  const cwd = cache;
  await ensureNativeLibraries(name);
  say(`building ${name} ${version}: a few minutes, once for all clones (${directory})`);
  const target = path.join(cache, `.build-${name}`);
  const { optLevel, args } = COMPILATION[name];
  await run('cargo', ['install', '--locked', '--root', directory, ...args, `${name}@${version}`], {
    cwd,
    env: {
      ...NOT_FOR_TOOLS,
      // Kept until it is done, so that an interrupted installation can be continued.
      CARGO_TARGET_DIR: target,
      CARGO_PROFILE_RELEASE_OPT_LEVEL: optLevel,
      CARGO_PROFILE_RELEASE_LTO: 'off',
      CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
    },
    orElse: `could not build ${name} ${version}, see above`,
  });
  rmSync(target, { recursive: true, force: true });
}

/** Installs the system's OpenSSL, which worker-build links, and a C compiler, which Rust links with. */
async function ensureNativeLibraries(name) {
  if (process.platform !== 'linux') return;
  const packages = [];
  if (!which('cc')) packages.push('gcc', 'libc6-dev');
  if (name === 'worker-build' && (await capture('pkg-config', ['--exists', 'openssl'])) === undefined) {
    packages.push('pkg-config', 'libssl-dev');
  }
  if (packages.length > 0) await installWithApt(packages, `to build ${name}`);
}
