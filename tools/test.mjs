// `npm test`: everything, from the inside out; or `npm test -- native wasm
// clients attack browser` for some of it. Every part runs even if an earlier one failed.
//
//   native    cargo's tests and the examples in the documentation, on this machine
//   wasm      the same crates' tests in a headless browser
//   clients   tests/**/*.test.mjs: real clients against the built test Worker
//   attack    tests/attack/*.test.mjs: clients that try to sink the same Worker's objects
//   browser   tests/browser/**/*.test.mjs: a browser on the playground's pages
//
// Besides node_modules, the last three parts get from here: tests/worker/build (and
// build/ for the browser), CHROMIUM, DORMOUSE_BUNDLES, a folder with the files of
// tests/browser/bundles.json, DORMOUSE_PYTHON and DORMOUSE_PYTHON_OLD, each a
// Python with the packages of a tests/python/requirements*.txt, and
// DORMOUSE_RUST_CLIENT, the program of tests/rust.

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Failure, isMain, main, root, say, status } from './shell.mjs';
import { build, playground, testWorker } from './build.mjs';
import {
  ensureBrowser,
  ensureNpmPackages,
  ensureOldBundles,
  ensurePython,
  ensureRust,
  ensureRustClient,
  modernNode,
  setUpBuild,
} from './setup.mjs';

const parts = { native, wasm, clients, attack, browser };
const crates = { 'dormouse-proto': 'src/proto', dormouse: 'src/server' };

// Nothing here takes this long, unless it would never end.
const LONGEST_TEST = 600_000;

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

async function clients() {
  await build(testWorker);
  const python = await ensurePython();
  const pythonOld = await ensurePython('requirements-old.txt', '.venv-old');
  const rustClient = await ensureRustClient();
  const others = ['tests/attack/', 'tests/browser/'];
  const files = testFiles('tests').filter((file) => !others.some((other) => file.startsWith(other)));
  return node(files, {
    DORMOUSE_PYTHON: python,
    DORMOUSE_PYTHON_OLD: pythonOld,
    DORMOUSE_RUST_CLIENT: rustClient,
  });
}

async function attack() {
  await build(testWorker);
  // Some attacks leave connections behind that the process would wait for.
  return node(testFiles('tests/attack'), {}, ['--test-force-exit']);
}

async function browser() {
  await build(playground);
  await build(testWorker);
  const { chromium } = await ensureBrowser();
  const bundles = await ensureOldBundles();
  return node(testFiles('tests/browser'), { CHROMIUM: chromium, DORMOUSE_BUNDLES: bundles });
}

/** The library's crates, as arguments to cargo. The Workers are its applications, and tested from outside. */
function packages() {
  return Object.entries(crates)
    .filter(([, directory]) => existsSync(path.join(root, directory, 'Cargo.toml')))
    .flatMap(([name]) => ['--package', name]);
}

function cargo(args, env) {
  return counted('cargo', args, env, /^test result: .* (\d+) passed; (\d+) failed;/gm);
}

async function node(files, env, options = []) {
  if (files.length === 0) {
    say('nothing to run here');
    return { passed: 0, failed: 0 };
  }
  const args = ['--test', '--test-reporter=spec', `--test-timeout=${LONGEST_TEST}`, ...options, ...files];
  return counted(await modernNode(), args, env, /^ℹ pass (\d+)\n(?:ℹ fail (\d+))/gm);
}

/** Runs a program and adds up the passed and failed tests that it reports. */
async function counted(program, args, env, summary) {
  let text = '';
  const code = await status(program, args, { env, onText: (more) => (text += more) });
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

async function test(names) {
  const unknown = names.find((name) => !(name in parts));
  if (unknown) throw new Failure(`there is no part "${unknown}": ${Object.keys(parts).join(', ')}`);
  await ensureNpmPackages();

  const results = [];
  for (const name of names.length > 0 ? names : Object.keys(parts)) {
    console.log(`\n━━ ${name} ${'━'.repeat(60 - name.length)}\n`);
    const began = Date.now();
    let result;
    try {
      result = await parts[name]();
    } catch (error) {
      console.error(error instanceof Failure ? `dormouse: ${error.message}` : error);
      result = { passed: 0, failed: 1 };
    }
    results.push({ name, ...result, seconds: Math.round((Date.now() - began) / 1000) });
  }

  console.log(`\n━━ summary ${'━'.repeat(53)}\n`);
  for (const { name, passed, failed, seconds } of results) {
    console.log(`${name.padEnd(8)} ${failed > 0 ? 'FAILED' : 'ok    '} ${passed} passed, ${failed} failed, ${seconds} s`);
  }
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  if (sum('failed') > 0) process.exitCode = 1;
}

if (isMain(import.meta)) {
  await main(() => test(process.argv.slice(2)));
}
