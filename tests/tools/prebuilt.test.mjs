// Tools that are downloaded: only with their checksum, and nobody waits for a network that is closed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { NOTE, installPrebuilt } from '../../tools/prebuilt.mjs';

const NAME = 'wasm-bindgen-cli';
const VERSION = '9.8.7';
const PROGRAMS = ['wasm-bindgen', 'wasm-bindgen-test-runner'];
/** Longer than anything takes. */
const LIMITS = { checksum: 60_000, archive: 60_000 };

const work = mkdtempSync(path.join(os.tmpdir(), 'prebuilt-'));
after(() => rmSync(work, { recursive: true, force: true }));
const directory = path.join(work, `wasm-bindgen-${VERSION}`);

const archives = new Map();

/** An archive as the project publishes it, of programs that say that they have this version. */
function archive(name, version = VERSION) {
  const key = `${name} ${version}`;
  // Another one would have another time in it.
  if (!archives.has(key)) archives.set(key, pack(name, version));
  return archives.get(key);
}

function pack(name, version) {
  const folder = path.join(work, 'source', name);
  mkdirSync(folder, { recursive: true });
  for (const program of PROGRAMS) {
    writeFileSync(path.join(folder, program), `#!/bin/sh\necho ${program} ${version}\n`);
    chmodSync(path.join(folder, program), 0o755);
  }
  writeFileSync(path.join(folder, 'README.md'), 'not a program');
  return execFileSync('tar', ['-czf', '-', '-C', path.join(work, 'source'), name]);
}

/** What the server answers: to each request, with its path and response, as a test says. */
let answer;
const asked = [];
const server = createServer((request, response) => {
  asked.push(request.url);
  answer(request.url, response);
});
let from;
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  from = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const name = (url) => path.basename(url).replace(/\.tar\.gz(\.sha256sum)?$/, '');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Answers as GitHub does. `change` is what becomes of the archive on its way. */
const publish = ({ version, change = (bytes) => bytes } = {}) => (url, response) => {
  const bytes = archive(name(url), version);
  if (!url.endsWith('.sha256sum')) return response.end(change(bytes));
  return response.end(`${sha256(bytes)}  gh-release/${path.basename(url, '.sha256sum')}\n`);
};

/** Installs it. Returns whether it has, and what was said. */
async function install(t, { limits, ...more } = {}) {
  const said = t.mock.method(console, 'log', () => {});
  const done = await installPrebuilt(NAME, VERSION, PROGRAMS, directory, { from: 'at' in more ? more.at : from, limits: { ...LIMITS, ...limits } });
  said.mock.restore();
  return { done, said: said.mock.calls.map(({ arguments: [line] }) => line) };
}

test('what has its checksum is installed, in place of what was there', async (t) => {
  answer = publish();
  mkdirSync(path.join(directory, 'bin'), { recursive: true });
  writeFileSync(path.join(directory, 'bin', 'half'), 'of an installation that was interrupted');
  const { done, said } = await install(t);
  assert.ok(done, said.join('\n'));
  assert.match(said.join('\n'), /^dormouse: downloading wasm-bindgen-cli 9\.8\.7.*$/);
  assert.deepEqual(readdirSync(path.join(directory, 'bin')), PROGRAMS);
  for (const program of PROGRAMS) {
    const file = path.join(directory, 'bin', program);
    accessSync(file, constants.X_OK);
    assert.equal(execFileSync(file, ['--version'], { encoding: 'utf8' }), `${program} ${VERSION}\n`);
  }
  const place = `/wasm-bindgen/wasm-bindgen/releases/download/${VERSION}`;
  assert.equal(readFileSync(path.join(directory, NOTE), 'utf8'), `${from}${place}\n`);
  assert.deepEqual(asked.map((url) => path.dirname(url)), [place, place]);
  assert.match(asked[1], new RegExp(`/wasm-bindgen-${VERSION}-(x86_64|aarch64)-[a-z-]+\\.tar\\.gz$`));
  assert.ok(!existsSync(`${directory}.part`));
});

const failures = {
  'an archive with another checksum': [publish({ change: (bytes) => Buffer.concat([bytes, bytes]) }), /does not have its checksum/],
  'an archive that ends too early': [publish({ change: (bytes) => bytes.subarray(0, 100) }), /does not have its checksum/],
  'a connection that ends too early': [
    (url, response) => {
      if (url.endsWith('.sha256sum')) return publish()(url, response);
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.write('the beginning');
      return setImmediate(() => response.destroy());
    },
    /\.tar\.gz: (other side closed|UND_ERR_SOCKET|terminated)/,
  ],
  'a checksum that is none': [(url, response) => response.end('<html>'), /sha256sum is not a checksum/],
  'an archive that is none': [
    (url, response) => response.end(url.endsWith('.sha256sum') ? `${sha256('none')}  it` : 'none'),
    /tar does not unpack it/,
  ],
  'programs of another version': [publish({ version: '9.8.6' }), /wasm-bindgen does not run here, or has another version/],
  'a version that is not published': [(url, response) => response.writeHead(404).end(), /sha256sum: status 404/],
  'no answer': [() => {}, /sha256sum: not there within 0\.1 s/, { checksum: 100 }],
  'an archive that does not come': [
    (url, response) => (url.endsWith('.sha256sum') ? publish()(url, response) : response.writeHead(200).write('the beginning')),
    /tar\.gz: not there within 0\.1 s/,
    { archive: 100 },
  ],
};

for (const [what, [answers, reason, limits]] of Object.entries(failures)) {
  test(`${what}: one line says so, and what was there stays`, async (t) => {
    answer = answers;
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, 'before'), '');
    const { done, said } = await install(t, { limits });
    assert.equal(done, false);
    const [line, ...others] = said.filter((line) => !/^dormouse: downloading /.test(line));
    assert.match(line, /^dormouse: wasm-bindgen-cli 9\.8\.7 cannot be downloaded: /);
    assert.match(line, reason);
    assert.deepEqual(others, []);
    assert.ok(existsSync(path.join(directory, 'before')));
    assert.ok(!existsSync(`${directory}.part`));
  });
}

test('a network that is closed', async (t) => {
  const nobody = createServer().listen(0, '127.0.0.1');
  await once(nobody, 'listening');
  const at = `http://127.0.0.1:${nobody.address().port}`;
  await new Promise((resolve) => nobody.close(resolve));
  const { done, said } = await install(t, { at });
  assert.deepEqual([done, said.length], [false, 1]);
  assert.match(said[0], /ECONNREFUSED/);
});

test('a mirror takes the place of GitHub', async (t) => {
  answer = publish();
  const before = process.env.DORMOUSE_TOOLS_MIRROR;
  process.env.DORMOUSE_TOOLS_MIRROR = `${from}/mirror/`;
  t.after(() => (before === undefined ? delete process.env.DORMOUSE_TOOLS_MIRROR : (process.env.DORMOUSE_TOOLS_MIRROR = before)));
  const { done, said } = await install(t, { at: undefined });
  assert.ok(done, said.join('\n'));
  assert.ok(asked.at(-1).startsWith('/mirror/wasm-bindgen/wasm-bindgen/releases/download/'), asked.at(-1));
});

test('what is not published is not asked for', async () => {
  asked.length = 0;
  assert.equal(await installPrebuilt('worker-build', VERSION, ['worker-build'], directory, { from }), false);
  assert.deepEqual(asked, []);
});
