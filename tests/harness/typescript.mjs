// Applications in TypeScript, with the npm packages as they are published: from the tarballs
// of `npm run package:npm`, in a folder of their own.

import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { create } from '../../tools/new.mjs';
import { tarball } from '../../tools/npm-package.mjs';
import { packages } from '../../tools/versions.mjs';
import { root } from './root.mjs';
import { COMPATIBILITY_FLAGS } from './runtime/built.mjs';
import { start as startMiniflare } from './runtime/miniflare.mjs';
import { startWorkerd } from './runtime/workerd.mjs';

const npm = path.join(root, 'target/npm');

/** The flag that brings AsyncLocalStorage. */
export const FOLLOWS = 'nodejs_als';

/** Installs the packages into a folder, unless they are there. Several files of tests may do so at once. */
export function install(folder, names = Object.keys(packages)) {
  const modules = path.join(folder, 'node_modules');
  if (existsSync(path.join(modules, names[0]))) return;
  const fresh = `${modules}-${process.pid}`;
  for (const name of names) {
    mkdirSync(path.join(fresh, name), { recursive: true });
    execFileSync('tar', ['-xzf', tarball(name), '-C', path.join(fresh, name), '--strip-components=1']);
  }
  try {
    renameSync(fresh, modules);
  } catch {
    // Another one was faster.
    rmSync(fresh, { recursive: true });
  }
}

/** Returns the folder for what is tried with these very tarballs. Other packages are found above it. */
export function project(name) {
  const packed = Math.max(...Object.keys(packages).map((name) => statSync(tarball(name)).mtimeMs));
  return path.join(npm, 'tried', String(packed), name);
}

/** Creates a project from templates/typescript, with the tarballs. Returns its folder. */
export function createProject(name) {
  const folder = project(name);
  rmSync(folder, { recursive: true, force: true });
  create(folder, { template: 'typescript' });
  install(folder);
  return folder;
}

/** Runs a program of our node_modules in a folder. Rejects with its output. */
export const runIn = (folder, program, ...args) => nodeIn(folder, path.join(root, 'node_modules', program), ...args);

/** Runs Node in a folder. Rejects with its output. */
export async function nodeIn(folder, ...args) {
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false', CI: 'true' };
  // No mode of a test runner's.
  delete env.NODE_ENV;
  delete env.NODE_TEST_CONTEXT;
  const options = { cwd: folder, env, timeout: 120_000, maxBuffer: 1 << 26 };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, options);
    return stdout;
  } catch (error) {
    throw new Error(`${args[0]}: ${error.message}\n${error.stdout}\n${error.stderr}`);
  }
}

/** Bundles an application. Returns the folder of the Worker. */
export async function bundle(entry, { strict = false } = {}) {
  const installed = project('applications');
  install(installed);
  const source = path.resolve(root, entry);
  const name = `${path.basename(path.dirname(source))}-${path.basename(source, '.ts')}${strict ? '-strict' : ''}`;
  const out = path.join(project('workers'), name);
  mkdirSync(out, { recursive: true });
  await build({
    entryPoints: [source],
    outfile: path.join(out, 'index.js'),
    bundle: true,
    format: 'esm',
    target: 'es2023',
    conditions: ['workerd'],
    external: ['cloudflare:*', 'node:*'],
    define: { 'process.env.NODE_ENV': JSON.stringify(strict ? 'development' : 'production') },
    // Sources are outside of the folder that the package is installed in.
    nodePaths: [path.join(installed, 'node_modules'), path.join(root, 'node_modules')],
    plugins: [{ name: 'wasm', setup: (it) => it.onResolve({ filter: /\.wasm$/ }, wasmBeside(out)) }],
    logLevel: 'warning',
  });
  return out;
}

function wasmBeside(out) {
  return (wasm) => {
    copyFileSync(path.join(wasm.resolveDir, wasm.path), path.join(out, 'index_bg.wasm'));
    return { path: './index_bg.wasm', external: true };
  };
}

/** Starts an application; `assets` is a directory that is served before it. The server offers what server.mjs lists. */
export async function startApplication(entry, { strict, flags = [FOLLOWS], assets, variables, ...options } = {}) {
  const build = await bundle(entry, { strict });
  if (!assets) return startWorkerd({ build, storage: true, flags, variables, ...options });
  const compatibilityFlags = [...COMPATIBILITY_FLAGS, ...flags];
  return startMiniflare({ build, assets, worker: { compatibilityFlags, bindings: variables } });
}
