// Packs the crates as crates.io would get them, checks what is inside, and unpacks them
// to target/packed, where a crate outside of this workspace can depend on them.
//
//   npm run package              packs, and checks what is in the packages
//   npm run package -- --verify  also compiles them from there

import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Failure, atLeast, capture, isMain, main, root, run, say } from './shell.mjs';
import { ensureRust } from './setup.mjs';
import { ownVersion } from './versions.mjs';

/** In the order in which they have to be published. */
export const libraries = ['dormouse-proto', 'dormouse'];

const target = path.join(root, 'target');
const unpacked = path.join(target, 'packed');

/** Packs and unpacks both crates. Resolves to the folder of each, by name. */
export async function packCrates({ verify = false } = {}) {
  await ensureRust([]);
  const packages = libraries.flatMap((name) => ['--package', name]);
  // What is packed here is not published: that needs a clean work tree (release.mjs).
  const args = ['package', '--quiet', '--allow-dirty', '--locked', ...(verify ? [] : ['--no-verify']), ...packages];
  await run('cargo', args, { env: { CARGO_TARGET_DIR: target }, orElse: 'the crates cannot be packed, see above' });
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { recursive: true });
  const folders = {};
  for (const name of libraries) {
    const whole = `${name}-${ownVersion()}`;
    // `-m`: as new. All files in a package have one old date, by which cargo would not
    // notice that they have changed.
    await run('tar', ['-xmzf', path.join(target, 'package', `${whole}.crate`), '-C', unpacked]);
    folders[name] = path.join(unpacked, whole);
    check(name, folders[name]);
  }
  await checkRustVersions();
  return folders;
}

/**
 * What the crates depend on must not need a newer Rust than they say they do. What they
 * use of the standard library, clippy checks (`incompatible_msrv`).
 */
async function checkRustVersions() {
  const metadata = JSON.parse(await capture('cargo', ['metadata', '--locked', '--format-version', '1']));
  const wanted = metadata.packages.find(({ name }) => name === 'dormouse').rust_version;
  const args = ['tree', '--locked', '--package', 'dormouse', '--target', 'all', '--edges', 'normal,build'];
  const tree = await capture('cargo', [...args, '--prefix', 'none', '--format', '{p}']);
  const used = new Set(tree.split('\n').map((line) => line.split(' ').slice(0, 2).join(' ')));
  const newer = metadata.packages
    .filter(({ name, version, rust_version: needs }) => used.has(`${name} v${version}`) && needs && !atLeast(wanted, needs))
    .map(({ name, version, rust_version: needs }) => `${name} ${version} needs Rust ${needs}`);
  if (newer.length > 0) throw new Failure(`the crates say that Rust ${wanted} is enough, but ${newer.join(', ')}`);
}

/** Tests and their data stay in the repository; licences and a front page do not. */
function check(name, folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  const unwanted = files.filter((file) => /(^|\/)tests?(\/|\.rs$)/.test(file) || !/\.(rs|toml|md|lock|orig|json)$|^LICENSE-/.test(file));
  if (unwanted.length > 0) throw new Failure(`${name} would be published with ${unwanted.join(', ')}`);
  for (const file of ['LICENSE-MIT', 'LICENSE-APACHE', 'README.md', 'lib.rs']) {
    if (!files.includes(file)) throw new Failure(`${name} would be published without ${file}`);
  }
  const manifest = readFileSync(path.join(folder, 'Cargo.toml'), 'utf8');
  for (const field of ['description', 'license', 'repository', 'documentation', 'keywords', 'categories', 'rust-version']) {
    if (!new RegExp(`^${field} = `, 'm').test(manifest)) throw new Failure(`${name} would be published without ${field}`);
  }
  // Another crate in the same Worker may want another version of these.
  const pinned = /^\[dependencies\.(worker|wasm-bindgen|js-sys|web-sys)[^\]]*\]\nversion = "=/m.exec(manifest);
  if (pinned) throw new Failure(`${name} would allow only one version of ${pinned[1]}`);
}

if (isMain(import.meta)) {
  await main(async () => {
    const folders = await packCrates({ verify: process.argv.includes('--verify') });
    for (const [name, folder] of Object.entries(folders)) say(`${name} is in ${folder}`);
  });
}
