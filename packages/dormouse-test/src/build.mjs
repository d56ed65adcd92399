// Builds the Worker as its configuration says, and puts what a start needs into a folder:
//
//   worker.json    how the Worker is configured, and what its modules are
//   worker/        the modules
//
// A Worker of JavaScript that its own command builds, as Rust's are, is taken as it is; any
// other is bundled by wrangler, as for a deploy.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { KINDS } from './modules.mjs';
import { importWrangler, wranglerFile } from './tools.mjs';

/** Where a build is, unless it is said otherwise. Its folder is wrangler's, and not under version control. */
export const FOLDER = '.wrangler/dormouse-test';
export const DESCRIPTION = 'worker.json';
export const MODULES = 'worker';

const BINDING = 'DORMOUSE';
/** What an import of another module of the Worker looks like. */
const IMPORT = /\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;

export async function build({ config, environment, release = false, folder = FOLDER } = {}) {
  const { unstable_readConfig: read, unstable_getMiniflareWorkerOptions: describe } = await importWrangler();
  const configuration = read({ config, env: environment });
  const { configPath, main, build: { command, cwd } = {} } = configuration;
  if (!configPath) throw new Error('there is no wrangler.toml, wrangler.json or wrangler.jsonc here: say `config`');
  if (!main) throw new Error(`${configPath} has no \`main\``);
  const { workerOptions } = describe(configPath, environment);
  const className = objectClass(workerOptions, configPath);
  const project = path.dirname(path.resolve(configPath));

  const modules = path.resolve(folder, MODULES);
  const description = path.resolve(folder, DESCRIPTION);
  if (existsSync(modules) && !existsSync(description)) throw new Error(`${modules} is there already, and is not a build of Dormouse’s`);
  rmSync(modules, { recursive: true, force: true });
  mkdirSync(modules, { recursive: true });
  writeFileSync(description, '');
  const isBuilt = command && /\.m?js$/.test(main) && path.dirname(main) !== project;
  const files = isBuilt
    ? await buildByCommand({ command, cwd: cwd ?? project, main, release, modules })
    : await bundle({ configPath, environment, main, modules });
  writeFileSync(description, JSON.stringify({ className, files, worker: workerOptions }, null, 2));
  return path.resolve(folder);
}

/** The class of the objects: that of the binding that Dormouse looks for, or the only one. */
function objectClass({ durableObjects = {}, additionalUnboundDurableObjects: unbound = [] }, configPath) {
  const bound = durableObjects[BINDING]?.className;
  const own = Object.values(durableObjects).filter(({ scriptName }) => scriptName === undefined);
  const names = [...new Set([...own, ...unbound].map(({ className }) => className))];
  if (bound) return bound;
  if (names.length === 1) return names[0];
  const found = names.length === 0 ? 'no class of Durable Objects' : `the classes ${names.join(', ')}`;
  throw new Error(`${configPath} has ${found}, and no binding ${BINDING} that says which one has the sessions`);
}

/** Runs the configuration's own command, and takes the modules that its outcome consists of. */
async function buildByCommand({ command, cwd, main, release, modules }) {
  // By this variable, commands tell what they are run for.
  const env = { ...process.env, WRANGLER_COMMAND: release ? 'deploy' : 'dev' };
  await run(command, [], { cwd, env, shell: true }, 'the `command` of [build]');
  const folder = path.dirname(main);
  const files = [path.basename(main)];
  for (const file of files) {
    const source = path.join(folder, file);
    if (!existsSync(source)) throw new Error(`${source} is missing: the build has not made it`);
    const to = path.join(modules, file);
    mkdirSync(path.dirname(to), { recursive: true });
    copyFileSync(source, to);
    if (!/\.[mc]?js$/.test(file)) continue;
    for (const [, specifier] of readFileSync(source, 'utf8').matchAll(IMPORT)) {
      const found = path.posix.join(path.posix.dirname(file), specifier);
      if (!files.includes(found)) files.push(found);
    }
  }
  return files;
}

/** Has wrangler bundle the Worker, as it does for a deploy. */
async function bundle({ configPath, environment, main, modules }) {
  const out = mkdtempSync(path.join(os.tmpdir(), 'dormouse-test-'));
  try {
    const wrangler = wranglerFile('bin/wrangler.js');
    const which = ['--config', configPath, ...(environment ? ['--env', environment] : [])];
    const env = { ...process.env, CI: 'true', WRANGLER_SEND_METRICS: 'false' };
    await run(process.execPath, [wrangler, 'deploy', '--dry-run', '--outdir', out, ...which], { env, quiet: true }, '`wrangler deploy --dry-run`');
    const first = `${path.basename(main, path.extname(main))}.js`;
    const files = readdirSync(out, { recursive: true }).filter((file) => KINDS[path.extname(file)] && file !== first);
    for (const file of [first, ...files]) {
      mkdirSync(path.dirname(path.join(modules, file)), { recursive: true });
      copyFileSync(path.join(out, file), path.join(modules, file));
    }
    return [first, ...files];
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Runs a program; rejects with `name` if it fails. What a quiet one prints is shown only then. */
function run(program, args, { quiet = false, ...options }, name) {
  return new Promise((resolve, reject) => {
    const output = quiet ? 'pipe' : 'inherit';
    // Standard output may be what somebody reads from the command line.
    const child = spawn(program, args, { ...options, stdio: ['ignore', quiet ? output : 2, output] });
    const said = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => said.push(text));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${name} failed\n${Buffer.concat(said)}`.trimEnd()));
    });
  });
}
