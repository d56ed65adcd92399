// Applications in TypeScript, with the package dormouse-io as it is published: from the
// tarball of `npm run package:npm`, in a folder of their own.

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { root } from './root.mjs';
import { startWorkerd } from './runtime/workerd.mjs';

const npm = path.join(root, 'target/npm');

/** The flag that brings AsyncLocalStorage. */
export const FOLLOWS = 'nodejs_als';

/** Installs the tarball into a folder, unless it is there. Several files of tests may do so at once. */
export function install(folder) {
  const modules = path.join(folder, 'node_modules');
  if (existsSync(path.join(modules, 'dormouse-io'))) return;
  const fresh = `${modules}-${process.pid}`;
  mkdirSync(path.join(fresh, 'dormouse-io'), { recursive: true });
  execFileSync('tar', ['-xzf', tarball(), '-C', path.join(fresh, 'dormouse-io'), '--strip-components=1']);
  try {
    renameSync(fresh, modules);
  } catch {
    // Another one was faster.
    rmSync(fresh, { recursive: true });
  }
}

/** Returns the file that `npm run package:npm` has made. */
export function tarball() {
  const name = existsSync(npm) && readdirSync(npm).find((name) => name.endsWith('.tgz'));
  if (!name) throw new Error('there is no tarball in target/npm: `npm run package:npm` makes it');
  return path.join(npm, name);
}

/** Returns the folder for what is tried with this very tarball. Other packages are found above it. */
export function project(name) {
  return path.join(npm, 'tried', String(statSync(tarball()).mtimeMs), name);
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

/** Starts an application. The server offers what server.mjs lists. */
export async function startApplication(entry, { strict, flags = [FOLLOWS], ...options } = {}) {
  const build = await bundle(entry, { strict });
  return startWorkerd({ build, storage: true, flags, ...options });
}
