// What a release writes, without releasing anything.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { releasedFiles, released } from '../../tools/release.mjs';

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
