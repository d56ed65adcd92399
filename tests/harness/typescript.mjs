// Applications in TypeScript, with the package dormouse-io as it is published: from the
// tarball of `npm run package:npm`, in a folder of their own.

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { root } from './root.mjs';
import { startWorkerd } from './runtime/workerd.mjs';

const npm = path.join(root, 'target/npm');

/** The folder in which the package is installed. Other packages are found above it. */
export const project = path.join(npm, 'project');

/** The flag that brings AsyncLocalStorage. */
export const FOLLOWS = 'nodejs_als';

/** Installs the tarball into a fresh folder. */
export function install(folder = project) {
  const installed = path.join(folder, 'node_modules/dormouse-io');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball(), '-C', installed, '--strip-components=1']);
}

/** Whether what is installed is what is packed. */
function isInstalled() {
  const manifest = path.join(project, 'node_modules/dormouse-io/package.json');
  return existsSync(manifest) && statSync(path.dirname(manifest)).ctimeMs > statSync(tarball()).mtimeMs;
}

function tarball() {
  const name = existsSync(npm) && readdirSync(npm).find((name) => name.endsWith('.tgz'));
  if (!name) throw new Error('there is no tarball in target/npm: `npm run package:npm` makes it');
  return path.join(npm, name);
}

/** Bundles an application. Returns the folder of the Worker. */
export async function bundle(entry, { strict = false } = {}) {
  if (!isInstalled()) install();
  const source = path.resolve(root, entry);
  const name = `${path.basename(path.dirname(source))}-${path.basename(source, '.ts')}${strict ? '-strict' : ''}`;
  const out = path.join(npm, 'workers', name);
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
    nodePaths: [path.join(project, 'node_modules'), path.join(root, 'node_modules')],
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
