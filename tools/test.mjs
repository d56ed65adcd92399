// `npm test`: everything; or `npm test -- native wasm clients attack typescript browser
// templates` for some of it. Every part runs even if an earlier one failed. Sweeps over clients
// and their ways, and what is generated, are run in a sample; `--all` has the whole of them
// (tests/harness/extent.mjs).
//
//   native      cargo's tests and the examples in the documentation, on this machine
//   wasm        the same crates' tests in a headless browser
//   clients     tests/**/*.test.mjs: real clients against the built test Worker
//   attack      tests/attack/*.test.mjs: clients that try to sink objects of the same
//               Worker and of the gateway
//   typescript  tests/typescript/*.test.mjs: the npm packages, from their tarballs
//   browser     tests/browser/**/*.test.mjs: a browser on the playground's pages
//   templates   tests/templates/*.test.mjs: projects from templates/, built from the packed
//               crates and with the packed packages
//
// Besides node_modules, the last three parts get from here: tests/worker/build,
// examples/gateway/build and examples/recipes/build (and build/ for the browser), CHROMIUM,
// DORMOUSE_BUNDLES, a folder with the files of tests/browser/bundles.json, DORMOUSE_PYTHON
// and DORMOUSE_PYTHON_OLD, each a Python with the packages of a
// tests/python/requirements*.txt, DORMOUSE_RUST_CLIENT and DORMOUSE_SOCKETIOXIDE, the
// programs of tests/rust, and php.
// The templates' part gets DORMOUSE_CHAT and DORMOUSE_GATEWAY, the folders of projects that
// have been built.

import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Failure, isMain, keepTemporaryFiles, main, root, say, status, statusWithin, which } from './shell.mjs';
import { build, gateway, playground, recipes, testWorker } from './build.mjs';
import { pack } from './npm-package.mjs';
import { buildProjects } from './templates.mjs';
import {
  ensureBrowser,
  ensureClients,
  ensureNpmPackages,
  ensureOldBundles,
  ensureRust,
  modernNode,
  setUpBuild,
} from './setup.mjs';

const parts = { native, wasm, clients, attack, typescript, browser, templates };
const crates = { 'dormouse-proto': 'src/proto', dormouse: 'src/server' };

// In milliseconds. Nothing here takes this long, unless it would never end.
const LONGEST_TEST = 300_000;
const LONGEST_PART = 1_800_000;
// Before a test gives up what it waits for: longer than by hand, since the machine has more to do.
const PATIENCE = '40000';

// Most tests wait for something most of the time. Those of the first talk to servers that want
// an answer within 600 ms, and have fewer beside them; the last need what is being prepared
// meanwhile.
const FILES_AT_ONCE = 4;
const PUNCTUAL = ['engine/', 'faults/'];
const PUNCTUAL_AT_ONCE = 2;
const PREPARED = ['api/', 'python/', 'recipes/', 'rust/', 'socket/migration', 'webhooks/'];
/** Those of other parts. */
const ELSEWHERE = ['attack/', 'browser/', 'templates/', 'typescript/'];

// A browser leaves half of the processors to these, and nobody here wants an answer soon.
const APART = 'browser';
const BESIDE = ['typescript', 'templates'];
const SUMMARY = '━━ summary ';
const ALL = '--all';

// The runner waits for the processes of its files, also for one that nothing reaches.
const LAST_LINE = /^ℹ duration_ms /m;
const GRACE = 10_000;

async function native() {
  await ensureRust([]);
  return cargo(['test', '--no-fail-fast', ...packages()]);
}

async function wasm() {
  const { wasmBindgenTestRunner } = await setUpBuild();
  const { chromedriver } = await ensureBrowser();
  const env = {
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: wasmBindgenTestRunner,
    CHROMEDRIVER: chromedriver,
    WASM_BINDGEN_USE_BROWSER: '1',
    // In seconds; the defaults of both are short for a busy machine.
    WASM_BINDGEN_TEST_TIMEOUT: '300',
    WASM_BINDGEN_TEST_DRIVER_TIMEOUT: '60',
  };
  const total = { passed: 0, failed: 0 };
  for (const name of Object.keys(crates)) {
    // `--tests`: the examples have been run natively, and could not run in a browser.
    const args = ['test', '--no-fail-fast', '--tests', '--target', 'wasm32-unknown-unknown', '--package', name];
    const { passed, failed } = await cargo(args, env);
    total.passed += passed;
    total.failed += failed;
    if (passed + failed === 0) {
      // The runner does not fail if it finds no tests, and it finds only those marked for it.
      say(`${name} has no test that runs in the browser`);
      total.failed += 1;
    }
  }
  return total;
}

async function clients(later) {
  await build(testWorker);
  const files = testFiles('tests').filter((file) => !isIn(ELSEWHERE, file));
  const others = files.filter((file) => !isIn([...PUNCTUAL, ...PREPARED], file));
  const results = [await node(files.filter((file) => isIn(PUNCTUAL, file)), {}, { atOnce: PUNCTUAL_AT_ONCE })];
  const rest = prepareClients();
  buildAhead(rest, later);
  results.push(await node(others, {}, { atOnce: FILES_AT_ONCE }));
  results.push(await node(files.filter((file) => isIn(PREPARED, file)), await rest, { atOnce: FILES_AT_ONCE }));
  return { passed: total(results, 'passed'), failed: total(results, 'failed') };
}

/** Prepares what the last of them need, behind others. */
async function prepareClients() {
  await behind('build.mjs', gateway);
  // Nobody deploys it, and this takes seconds.
  await behind('build.mjs', recipes, '--dev');
  await behind('setup.mjs', '--clients');
  return ensureClients();
}

/** Builds what later parts would have to build first, as soon as something is done. */
function buildAhead(done, later) {
  if (BESIDE.some((name) => later.includes(name))) packing = done.then(() => behind('npm-package.mjs'));
  const built = (packing ?? done).then(() => later.includes(APART) && behind('build.mjs', playground));
  if (later.includes('templates')) {
    const folder = temporaryFolder();
    projects = built.then(() => behind('templates.mjs', folder)).then(() => folder);
  }
  // Whoever needs them hears of their failure.
  for (const each of [done, packing, built, projects]) each?.catch(() => {});
}

function isIn(places, file) {
  return places.some((place) => file.startsWith(`tests/${place}`));
}

async function attack() {
  await build(testWorker);
  await build(gateway);
  // Some attacks leave connections behind that the process would wait for.
  return node(testFiles('tests/attack'), {}, { more: ['--test-force-exit'] });
}

async function typescript() {
  await packed();
  return node(testFiles('tests/typescript'), {}, { atOnce: FILES_AT_ONCE });
}

async function browser() {
  await build(playground);
  await build(testWorker);
  await build(recipes, { dev: true });
  const { chromium } = await ensureBrowser();
  const bundles = await ensureOldBundles();
  return node(testFiles('tests/browser'), { CHROMIUM: chromium, DORMOUSE_BUNDLES: bundles });
}

async function templates() {
  await packed();
  const folder = await (projects ?? buildProjectsNow());
  const variables = { DORMOUSE_CHAT: path.join(folder, 'first-chat'), DORMOUSE_GATEWAY: path.join(folder, 'first-gateway') };
  return node(testFiles('tests/templates'), variables);
}

/** The folder of the projects from templates, if they are being built ahead. */
let projects;
async function buildProjectsNow() {
  const folder = temporaryFolder();
  await buildProjects(folder);
  return folder;
}

function temporaryFolder() {
  return mkdtempSync(path.join(os.tmpdir(), 'dormouse-'));
}

/** Packs the npm packages, once for all parts. */
let packing;
function packed() {
  return (packing ??= pack());
}

/** The library's crates, as arguments to cargo. The Workers are its applications, and tested from outside. */
function packages() {
  return Object.entries(crates)
    .filter(([, directory]) => existsSync(path.join(root, directory, 'Cargo.toml')))
    .flatMap(([name]) => ['--package', name]);
}

function cargo(args, env) {
  const start = (onText) => status('cargo', args, { env, onText });
  return counted(start, /^test result: .* (\d+) passed; (\d+) failed;/gm);
}

async function node(files, env, { atOnce = 1, more = [] } = {}) {
  if (files.length === 0) {
    say('nothing to run here');
    return { passed: 0, failed: 0 };
  }
  const limits = [`--test-timeout=${LONGEST_TEST}`, `--test-concurrency=${atOnce}`];
  const args = ['--test', '--test-reporter=spec', ...limits, ...more, ...files];
  const program = await modernNode();
  const bounds = { last: LAST_LINE, grace: GRACE, limit: LONGEST_PART };
  const variables = { DORMOUSE_TEST_PATIENCE: PATIENCE, ...env };
  const start = (onText) => statusWithin(program, args, { env: variables, onText, ...bounds });
  return counted(start, /^ℹ pass (\d+)\n(?:ℹ fail (\d+))/gm);
}

/** Starts a program and adds up the passed and failed tests that it reports. */
async function counted(start, summary) {
  let text = '';
  const code = await start((more) => (text += more));
  let [passed, failed] = [0, 0];
  for (const [, good, bad] of text.matchAll(summary)) {
    passed += Number(good);
    failed += Number(bad);
  }
  // It may also fail without a failed test, if something does not compile.
  return { passed, failed: code === 0 ? failed : Math.max(failed, 1) };
}

function testFiles(directory) {
  if (!existsSync(path.join(root, directory))) return [];
  return readdirSync(path.join(root, directory), { withFileTypes: true })
    .flatMap((entry) => {
      const child = `${directory}/${entry.name}`;
      if (entry.isDirectory()) return ['node_modules', 'build'].includes(entry.name) ? [] : testFiles(child);
      return entry.name.endsWith('.test.mjs') ? [child] : [];
    })
    .sort();
}

async function test(args) {
  const names = args.filter((arg) => arg !== ALL);
  if (names.length < args.length) process.env.DORMOUSE_ALL = '1';
  const unknown = names.find((name) => !(name in parts));
  if (unknown) throw new Failure(`there is no part "${unknown}": ${Object.keys(parts).join(', ')}`);
  await ensureNpmPackages();

  const wanted = names.length > 0 ? names : Object.keys(parts);
  const isApart = wanted.includes(APART) && wanted.some((name) => BESIDE.includes(name));
  const results = [];
  let apart;
  for (const [place, name] of wanted.entries()) {
    if (isApart && BESIDE.includes(name)) apart ??= runApart(APART);
    if (!isApart || name !== APART) results.push(await runPart(name, wanted.slice(place + 1)));
  }
  if (isApart) results.push((await apart)());

  console.log(`\n${SUMMARY}${'━'.repeat(53)}\n`);
  for (const { name, passed, failed, seconds } of results) {
    console.log(`${name.padEnd(10)} ${failed > 0 ? 'FAILED' : 'ok    '} ${passed} passed, ${failed} failed, ${seconds} s`);
  }
  console.log(`${total(results, 'passed')} passed, ${total(results, 'failed')} failed`);
  if (total(results, 'failed') > 0) process.exitCode = 1;
}

async function runPart(name, later) {
  console.log(`\n━━ ${name} ${'━'.repeat(60 - name.length)}\n`);
  const began = Date.now();
  let result;
  try {
    result = await parts[name](later);
  } catch (error) {
    console.error(error instanceof Failure ? `dormouse: ${error.message}` : error);
    result = { passed: 0, failed: 1 };
  }
  return { name, ...result, seconds: Math.round((Date.now() - began) / 1000) };
}

/** Runs a part in a process of its own. Returns a function that shows what it has printed, and its result. */
async function runApart(name) {
  const { text } = await quietly(process.execPath, [tool('test.mjs'), name]);
  return () => {
    const [output, summary = ''] = text.split(SUMMARY);
    console.log(output);
    const [passed, failed, seconds] = /(\d+) passed, (\d+) failed, (\d+) s/.exec(summary)?.slice(1) ?? [0, 1, 0];
    return { name, passed: Number(passed), failed: Number(failed), seconds: Number(seconds) };
  };
}

/** Runs one of these scripts in what tests leave of the processors. It has to succeed. */
async function behind(script, ...args) {
  const command = [process.execPath, tool(script), ...args];
  const [program, ...rest] = which('nice') ? ['nice', '-n', '19', ...command] : command;
  const { text, code } = await quietly(program, rest);
  if (code === 0) return;
  console.error(text);
  throw new Failure(`tools/${script} failed, see above`);
}

async function quietly(program, args) {
  let text = '';
  const code = await status(program, args, { onText: (more) => (text += more), quiet: true });
  return { text, code };
}

const tool = (script) => path.join(root, 'tools', script);

const total = (results, key) => results.reduce((sum, result) => sum + result[key], 0);

if (isMain(import.meta)) {
  keepTemporaryFiles();
  await main(() => test(process.argv.slice(2)));
}
