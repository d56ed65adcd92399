// `npm run release -- <version>`: everything up to the point where only somebody with an
// account can go on. Checks that the version may follow, sets it everywhere, gives the
// CHANGELOG its heading, packs and compiles both crates, commits, and tags.
//
// With `--dry-run` nothing is written: it says what is missing. Publishing is what
// .github/workflows/release.yml does for a tag that is pushed.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, atLeast, capture, isMain, main, root, run, say, which } from './shell.mjs';
import { libraries, packCrates } from './package.mjs';
import { disagreements, isCrate, ownVersion, packages, templates } from './versions.mjs';

/** The workspaces whose lockfiles have the version, too. */
const workspaces = ['.', 'fuzz', 'benches/codec'];

/** Returns the files that name the version as they will be, by their paths. */
export function releasedFiles(version, today) {
  const read = (file) => readFileSync(path.join(root, file), 'utf8');
  const manifest = read('Cargo.toml')
    .replace(/^version = ".*"/m, `version = "${version}"`)
    .replace(/^(dormouse[a-z-]* = \{ .*version = "=?)[^"]+/gm, `$1${version}`);
  const manifests = Object.values(templates).filter(isCrate).map((folder) => `${folder}/Cargo.toml`);
  const names = Object.keys(packages).join('|');
  const own = Object.values(packages).map((folder) => `${folder}/package.json`);
  const others = Object.values(templates).map((folder) => `${folder}/package.json`);
  return {
    'Cargo.toml': manifest,
    'CHANGELOG.md': released(read('CHANGELOG.md'), version, today),
    ...Object.fromEntries(
      manifests.map((file) => [file, read(file).replace(/^dormouse = ".*"/m, `dormouse = "${version}"`)]),
    ),
    ...Object.fromEntries(own.map((file) => [file, read(file).replace(/^( {2}"version": ").*"/m, `$1${version}"`)])),
    ...Object.fromEntries(
      others.map((file) => [file, read(file).replace(new RegExp(`("(?:${names})": "\\^)[^"]+`, 'g'), `$1${version}`)]),
    ),
  };
}

/** Returns the CHANGELOG with what is unreleased under the heading of its version. */
export function released(text, version, today) {
  const [before, after, ...more] = text.split('\n## [Unreleased]\n');
  if (after === undefined || more.length > 0) throw new Failure('CHANGELOG.md needs one heading “## [Unreleased]”');
  if (/^\s*(## |$)/.test(after)) throw new Failure('CHANGELOG.md says nothing under “Unreleased”');
  return `${before}\n## [Unreleased]\n\n## [${version}] - ${today}\n${after}`;
}

async function release(version, dryRun) {
  if (!/^\d+\.\d+\.\d+$/.test(version ?? '')) {
    throw new Failure('`npm run release -- <version> [--dry-run]` needs a version such as 0.1.0');
  }
  const own = ownVersion();
  const tags = (await capture('git', ['tag', '--list', 'v*', '--sort=-version:refname'])).split('\n').filter(Boolean);
  if (tags.includes(`v${version}`)) throw new Failure(`there is a tag v${version} already`);
  if (!atLeast(version, own)) throw new Failure(`${version} comes before ${own}`);
  if (await capture('git', ['status', '--porcelain'])) throw new Failure('there are changes that are not committed: what is published must be what is tagged');
  const found = disagreements();
  if (found.length > 0) throw new Failure(found.join('; '));
  await checkCompatibility(tags[0]);

  const today = new Date().toISOString().slice(0, 10);
  const files = releasedFiles(version, today);
  if (dryRun) {
    await packCrates({ verify: true });
    say(`${version} can be released; ${Object.keys(files).join(', ')} would change`);
    return;
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(root, file), text);
  for (const folder of workspaces) {
    await run('cargo', ['update', '--workspace', '--offline', '--quiet', '--manifest-path', `${folder}/Cargo.toml`]);
  }
  await packCrates({ verify: true });
  await run('git', ['commit', '--quiet', '--all', '--message', `Release ${version}`]);
  await run('git', ['tag', '--annotate', `v${version}`, '--message', `Release ${version}`]);
  say(`tagged v${version}. \`git push origin HEAD v${version}\` has it published`);
}

/** Compares the public interface with that of the last release, by what semantic versions allow. */
async function checkCompatibility(tag) {
  if (!tag) return say('there is no release yet to be compatible with');
  if (!which('cargo-semver-checks')) throw new Failure('cargo-semver-checks is missing: `cargo install --locked cargo-semver-checks`');
  const packages = libraries.flatMap((name) => ['--package', name]);
  await run('cargo', ['semver-checks', '--baseline-rev', tag, ...packages], { orElse: 'the version has to be a higher one, see above' });
}

if (isMain(import.meta)) {
  const args = process.argv.slice(2);
  await main(() => release(args.find((arg) => !arg.startsWith('--')), args.includes('--dry-run')));
}
