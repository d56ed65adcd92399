// The templates as those get them who have no clone: from a repository as it will be
// published, by `npm create cloudflare`. And what `cargo generate`, which takes minutes to
// build, finds there.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { tarball } from '../../tools/npm-package.mjs';
import { packages, templates } from '../../tools/versions.mjs';
import { root } from '../harness/root.mjs';

const run = promisify(execFile);
/** In milliseconds. A question that nobody answers would be waited for. */
const PATIENCE = 200_000;
const address = 'https://github.com/somebody/dormouse';
const folder = mkdtempSync(path.join(os.tmpdir(), 'dormouse-strangers-'));

/** The environment of somebody who has nothing but Node, npm and a network in which the repository is. */
const env = {
  ...process.env,
  HOME: folder,
  // create-cloudflare leaves what it has downloaded.
  TMPDIR: folder,
  npm_config_cache: process.env.npm_config_cache ?? path.join(os.homedir(), '.npm'),
  npm_config_userconfig: process.env.npm_config_userconfig ?? path.join(os.homedir(), '.npmrc'),
  npm_config_user_agent: 'npm',
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
  CI: 'true',
  CREATE_CLOUDFLARE_TELEMETRY_DISABLED: '1',
  WRANGLER_SEND_METRICS: 'false',
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: `url.${path.join(folder, 'repository')}.insteadOf`,
  GIT_CONFIG_VALUE_0: address,
};
// No mode of this test runner's.
delete env.NODE_ENV;
delete env.NODE_TEST_CONTEXT;

before(publish);
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Makes the repository, with the npm packages from their tarballs. It is where git looks for
 * it, and its archive where create-cloudflare keeps those that it has downloaded.
 */
function publish() {
  const repository = path.join(folder, 'repository');
  mkdirSync(repository);
  const git = (cwd, ...args) => execFileSync('git', args, { cwd, encoding: 'utf8' }).trim();
  for (const file of templateFiles()) cpSync(path.join(root, file), path.join(repository, file));
  for (const template of Object.values(templates)) {
    const manifest = path.join(repository, template, 'package.json');
    const names = new RegExp(`("(${Object.keys(packages).join('|')})": )"[^"]*"`, 'g');
    const text = readFileSync(manifest, 'utf8').replace(names, (_, key, name) => `${key}"file:${tarball(name)}"`);
    writeFileSync(manifest, text);
  }
  git(repository, 'init', '--quiet', '--initial-branch', 'main');
  git(repository, 'add', '--all');
  git(repository, '-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.com', 'commit', '--quiet', '--message', 'All');
  const commit = git(repository, 'rev-parse', 'HEAD');
  const archives = path.join(folder, '.degit/github/somebody/dormouse');
  mkdirSync(archives, { recursive: true });
  git(repository, 'archive', '--format=tar.gz', `--prefix=dormouse-${commit}/`, '--output', path.join(archives, `${commit}.tar.gz`), 'HEAD');
}

/** The files of the templates that are in the repository, or will be with the next commit. */
function templateFiles() {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', ...Object.values(templates)];
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim().split('\n');
}

/** What create-cloudflare adds to. */
const CHANGED = ['.gitignore', 'package.json', 'wrangler.jsonc', 'wrangler.toml'];

/** Creates a project by the command in docs/getting-started.md, and checks that nothing is missing. Returns its folder. */
async function createCloudflare(name, template) {
  const program = path.join(root, 'node_modules/create-cloudflare/dist/cli.js');
  const answers = ['--no-deploy', '--no-git', '--no-open', '--no-agents', '--no-auto-update'];
  await run(process.execPath, [program, name, '--template', `${address}/${template}`, ...answers], { cwd: folder, env, timeout: PATIENCE });
  const project = path.join(folder, name);
  for (const file of templateFiles().filter((file) => file.startsWith(`${template}/`))) {
    const text = readFileSync(path.join(project, path.relative(template, file)), 'utf8');
    if (!CHANGED.includes(path.basename(file))) assert.equal(text, readFileSync(path.join(root, file), 'utf8'), file);
  }
  return project;
}

test('create-cloudflare makes a chat in TypeScript, whose tests pass', async () => {
  const project = await createCloudflare('my-chat', templates.typescript);
  assert.match(readFileSync(path.join(project, 'wrangler.jsonc'), 'utf8'), /"name": "my-chat"/);
  const npm = (...args) => run('npm', args, { cwd: project, env });
  await npm('run', 'check');
  const { stdout } = await npm('test');
  assert.match(stdout, /2 passed/);
  assert.match(stdout, /^# pass 2$/m);
});

for (const [name, template] of Object.entries(templates).filter(([name]) => name !== 'typescript')) {
  test(`create-cloudflare keeps how templates.${name} is built, and what it is bound to`, async () => {
    const project = await createCloudflare(`my-${name}`, template);
    const text = readFileSync(path.join(project, 'wrangler.toml'), 'utf8');
    const { 1: command } = /^command = """\n(.*?)"""/ms.exec(readFileSync(path.join(root, template, 'wrangler.toml'), 'utf8'));
    assert.ok(text.includes(`command = ${JSON.stringify(command)}`), text);
    assert.ok(text.includes(`name = "my-${name}"`), text);
    assert.match(text, /"enable_request_signal", "no_web_socket_compression"/);
    assert.match(text, /^class_name = "Dormouse"$/m);
    assert.match(text, /^new_sqlite_classes = \[ ?"Dormouse" ?\]$/m);
    // It is not a project for create-cloudflare without wrangler.
    await run(process.execPath, ['node_modules/wrangler/bin/wrangler.js', '--version'], { cwd: project, env });
  });
}

test('cargo generate knows the templates, and finds nothing in them to fill in', () => {
  const { 1: list } = /^sub_templates = \[(.*)\]$/m.exec(readFileSync(path.join(root, 'cargo-generate.toml'), 'utf8'));
  assert.deepEqual(JSON.parse(`[${list}]`).sort(), Object.values(templates).sort());
  const filled = templateFiles().filter((file) => /\{\{|\{%/.test(readFileSync(path.join(root, file), 'utf8')));
  assert.deepEqual(filled, []);
});
