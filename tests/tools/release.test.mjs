// What a release writes, without releasing anything.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { published } from '../../tools/npm-package.mjs';
import { releasedFiles, released } from '../../tools/release.mjs';
import { ownVersion, packages } from '../../tools/versions.mjs';
import { root } from '../harness/root.mjs';

const read = (file) => readFileSync(path.join(root, file), 'utf8');

test('a version is set wherever one is named, and nowhere else', () => {
  const files = releasedFiles('7.8.9', '2030-01-02');
  const named = (file, pattern) => files[file].match(pattern)?.map((text) => /"=?([^"]*)"/.exec(text)[1]);
  assert.deepEqual(named('Cargo.toml', /^version = ".*"/gm), ['7.8.9']);
  assert.deepEqual(named('Cargo.toml', /(?<=^dormouse.* )version = "[^"]*"/gm), ['7.8.9', '7.8.9']);
  assert.deepEqual(named('templates/rust/Cargo.toml', /^dormouse = ".*"/gm), ['7.8.9']);
  assert.deepEqual(named('templates/rust/Cargo.toml', /^version = ".*"/gm), ['0.1.0']);

  const manifest = (file) => JSON.parse(files[file]);
  for (const name of ['dormouse-io', 'dormouse-test']) {
    assert.deepEqual(manifest(`packages/${name}/package.json`).version, '7.8.9');
  }
  assert.equal(manifest('packages/dormouse-test/package.json').engines.node, '>=22.12');
  assert.equal(manifest('templates/rust/package.json').devDependencies['dormouse-test'], '^7.8.9');
  const { dependencies, devDependencies } = manifest('templates/typescript/package.json');
  assert.deepEqual([dependencies['dormouse-io'], devDependencies['dormouse-test']], ['^7.8.9', '^7.8.9']);
  assert.notEqual(dependencies['socket.io-client'], '^7.8.9');
});

test('what is unreleased gets the heading of its version', () => {
  const text = '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n';
  assert.equal(
    released(text, '0.2.0', '2030-01-02'),
    '# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2030-01-02\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n',
  );
});

test('a release of nothing is refused', () => {
  const text = '# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n\n- A thing.\n';
  assert.throws(() => released(text, '0.2.0', '2030-01-02'), /says nothing under/);
});

/** A job of the workflow that publishes, as text. */
function job(name) {
  const { 1: text } = new RegExp(`^  ${name}:\n(.*?)(?=^  \\w|(?![^]))`, 'ms').exec(read('.github/workflows/release.yml'));
  return text;
}

test('each package goes to npm from the workflow that npm trusts, with provenance and without a secret', () => {
  const text = job('packages');
  const { 1: names } = /^ +package: \[(.*)\]$/m.exec(text);
  assert.deepEqual(names.split(', '), Object.keys(packages));
  assert.match(text, /- run: npm publish --provenance \.\/\$\{\{ matrix\.package \}\}-\*\.tgz$/m);
  assert.match(text, /^ +id-token: write$/m);
  assert.match(text, /^ +environment: release$/m);
  // Which comes with an npm that can be trusted.
  assert.match(text, /^ +node-version: 24$/m);
  assert.doesNotMatch(text, /secrets|TOKEN/);
});

test('what is published is what was checked', () => {
  assert.match(job('check'), /- run: \.ci\/run --all$[^]*path: target\/npm\/\*\.tgz$/m);
  for (const name of ['crates', 'packages']) assert.match(job(name), /^ {4}needs: check$/m, name);
});

test('a package says where it is from, and its README leads there', () => {
  const { 1: repository } = /^repository = "(.*)"/m.exec(read('Cargo.toml'));
  for (const [name, directory] of Object.entries(packages)) {
    const files = published(name);
    const manifest = JSON.parse(files['package.json']);
    assert.deepEqual(manifest.repository, { type: 'git', url: `git+${repository}.git`, directory });
    assert.equal(manifest.publishConfig.access, 'public');
    const links = [...files['README.md'].matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link);
    assert.ok(links.some((link) => link.startsWith(`${repository}/blob/v${ownVersion()}/docs/`)), name);
    assert.deepEqual(links.filter((link) => !link.startsWith('https://')), []);
  }
});
