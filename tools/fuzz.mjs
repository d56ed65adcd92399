// `npm run fuzz -- --seconds N [--target name]`: the targets of fuzz/, one after
// another, for N seconds in total (60 by default). It ends with an error if one of
// them has found something, and says how to reproduce it:
// `npm run fuzz -- --target name --replay file`.
//
// Interesting inputs are kept in target/fuzz/corpus, where the next run continues.
// `npm run fuzz -- --keep` puts the best of them into fuzz/corpus, which
// `cargo test -p dormouse-proto --test corpus` replays.
//
// A quarter of the time is for long inputs, beginning with those of
// fuzz/targets/long.rs: costs that grow with the square of a length show there.
//
// The fuzzer is libFuzzer, which is built here; the instrumentation is the stable
// compiler's own. So only a C++ compiler may be missing.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Failure, capture, isMain, main, root, run, say } from './shell.mjs';
import { ensureCompiler, ensureRust } from './setup.mjs';
import { keepBest } from './corpus.mjs';

const target = path.join(root, 'target', 'fuzz');
const seeds = (name) => path.join(root, 'fuzz', 'corpus', name);
const corpus = (name) => path.join(target, 'corpus', name);
const long = (name) => path.join(target, 'long', name);
const findings = (name) => path.join(target, 'findings', name);

// Flags that make coverage visible to libFuzzer.
const instrumentation = [
  '-Cpasses=sancov-module',
  ...['level=4', 'inline-8bit-counters', 'pc-table', 'trace-compares'].map(
    (option) => `-Cllvm-args=-sanitizer-coverage-${option}`,
  ),
  '-Ccodegen-units=1',
];

// An input that takes longer than this, or more memory, is a finding.
const limits = ['-timeout=10', '-rss_limit_mb=1024'];
const SHORT = ['-max_len=1000', '-len_control=20'];
const LONG = ['-max_len=400000', '-len_control=0'];
/** The share of the time that long inputs have. */
const LONG_SHARE = 1 / 4;

const PROGRESS = 10_000;

/** Builds the fuzzer. Resolves to its program. */
async function buildFuzzer() {
  await ensureRust([]);
  await ensureCompiler();
  const host = /^host: (.*)$/m.exec((await capture('rustc', ['-vV'])) ?? '')?.[1];
  if (!host) throw new Failure('rustc does not say what it runs on');
  const manifest = path.join(root, 'fuzz', 'Cargo.toml');
  const args = ['build', '--release', '--quiet', '--locked', '--manifest-path', manifest];
  // If a target is named, the flags do not apply to build scripts and macros.
  await run('cargo', [...args, '--target', host, '--target-dir', target], {
    env: { CARGO_ENCODED_RUSTFLAGS: instrumentation.join('\x1f'), RUSTFLAGS: undefined },
    orElse: 'could not build the fuzzer, see above',
  });
  return path.join(target, host, 'release', 'dormouse-fuzz');
}

/** The targets, as fuzz/targets/mod.rs lists them. */
function targetNames() {
  const list = readFileSync(path.join(root, 'fuzz', 'targets', 'mod.rs'), 'utf8');
  return [...list.matchAll(/^ {4}\("([a-z_]+)",/gm)].map(([, name]) => name);
}

/** Starts libFuzzer on one target. Resolves to its exit status and the lines it wrote. */
function start(fuzzer, name, args, { env, onLine } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(fuzzer, args, {
      cwd: root,
      env: { ...process.env, ...env, DORMOUSE_FUZZ_TARGET: name },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    const stop = () => child.kill();
    process.on('exit', stop);
    const lines = [];
    let rest = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop();
      for (const line of parts) {
        lines.push(line);
        // Earlier lines are progress; a finding is among the last ones.
        if (lines.length > 500) lines.shift();
        onLine?.(line);
      }
    });
    child.on('error', reject);
    child.on('close', (code) => {
      process.off('exit', stop);
      resolve({ code: code ?? 128, lines });
    });
  });
}

/** `#193027 NEW cov: 2244 ft: 10724 corp: 2050/37Kb …`, as numbers. */
function readProgress(line) {
  const match = /^#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)\//.exec(line);
  if (!match) return undefined;
  const [runs, coverage, , inputs] = [match[1], match[3], match[4], match[5]].map(Number);
  return { event: match[2], runs, coverage, inputs };
}

/** Runs one target for this long: with short inputs, and with long ones. */
async function fuzz(fuzzer, name, seconds) {
  const share = Math.max(1, Math.round(seconds * LONG_SHARE));
  for (const directory of [corpus(name), long(name), findings(name)]) mkdirSync(directory, { recursive: true });
  const { code } = await start(fuzzer, name, [], { env: { DORMOUSE_FUZZ_LONG: long(name) } });
  if (code !== 0) throw new Failure(`${name}: its long inputs could not be written`);
  return [
    await runKind(fuzzer, name, Math.max(1, seconds - share), SHORT, [corpus(name), seeds(name)]),
    await runKind(fuzzer, name, share, LONG, [long(name)]),
  ];
}

/** Runs one target on inputs of one kind. What is new goes into the first directory. */
async function runKind(fuzzer, name, seconds, lengths, places) {
  const directories = places.filter(existsSync);
  const args = [
    ...limits,
    ...lengths,
    `-max_total_time=${seconds}`,
    `-dict=${path.join(root, 'fuzz', 'dictionary')}`,
    `-artifact_prefix=${findings(name)}${path.sep}`,
    '-print_final_stats=1',
    ...directories,
  ];
  const title = lengths === LONG ? `${name}, long` : name;
  say(`${title}: ${seconds} s`);
  const began = Date.now();
  let [first, last] = [];
  const onLine = (line) => {
    const progress = readProgress(line);
    if (progress?.event === 'INITED') first = progress;
    last = progress ?? last;
  };
  const report = setInterval(() => {
    if (!last) return;
    const elapsed = Math.round((Date.now() - began) / 1000);
    const { runs, coverage, inputs } = last;
    say(`${title}: ${elapsed} s, ${runs} runs and more, coverage ${coverage}, ${inputs} inputs`);
  }, PROGRESS);
  const { code, lines } = await start(fuzzer, name, args, { onLine }).finally(() => clearInterval(report));
  const total = /^stat::number_of_executed_units:\s*(\d+)/m.exec(lines.join('\n'))?.[1];
  const runs = Number(total ?? last?.runs ?? 0);
  const elapsed = (Date.now() - began) / 1000;
  const news = lines.flatMap((line) => /Test unit written to (.+)$/.exec(line)?.[1] ?? []);
  if (code !== 0) console.error(tail(lines).join('\n'));
  return { name, title, code, runs, perSecond: Math.round(runs / elapsed), first, last, news };
}

/** Returns what went wrong, without the progress before it and the dictionary behind it. */
function tail(lines) {
  const from = lines.findIndex((line) => /panicked at|^==\d+==|ERROR: libFuzzer/.test(line));
  return lines.slice(Math.max(from, 0)).filter((line) => !/^#\d|^stat::|^###|^".*# Uses/.test(line));
}

function summary(results) {
  const growth = (result, key) => `${result.first?.[key] ?? 0} → ${result.last?.[key] ?? 0}`;
  const rows = results.map((result) => [
    result.title,
    result.runs,
    result.perSecond,
    growth(result, 'coverage'),
    growth(result, 'inputs'),
    result.code === 0 ? 'none' : result.news.length || `exit status ${result.code}`,
  ]);
  const head = ['target', 'runs', 'per second', 'coverage', 'inputs', 'findings'];
  const table = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, i) => Math.max(...table.map((row) => row[i].length)));
  return table.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join('  ').trimEnd()).join('\n');
}

/** Runs one input again, and shows what it does step by step. */
async function replay(fuzzer, name, file) {
  if (!existsSync(file)) throw new Failure(`there is no file ${file}`);
  const { code } = await start(fuzzer, name, ['-timeout=10', file], {
    env: { DORMOUSE_FUZZ_TRACE: '1' },
    onLine: (line) => console.error(line),
  });
  if (code !== 0) throw new Failure(`${file} makes ${name} fail`);
}

async function fuzzAll(options) {
  const all = targetNames();
  const names = options.target ? [options.target] : all;
  const unknown = names.find((name) => !all.includes(name));
  if (unknown) throw new Failure(`there is no target "${unknown}": ${all.join(', ')}`);
  const seconds = Number(options.seconds ?? 60);
  if (!(seconds > 0)) throw new Failure('--seconds wants a number');
  if (options.replay && !options.target) throw new Failure('--replay wants a --target');

  const fuzzer = await buildFuzzer();
  if (options.replay) return replay(fuzzer, options.target, path.resolve(options.replay));
  if (options.keep) {
    for (const name of names) {
      const merge = (args) => start(fuzzer, name, args);
      await keepBest({ name, from: corpus(name), to: seeds(name), scratch: target, merge });
    }
    return undefined;
  }
  const results = [];
  for (const name of names) {
    results.push(...(await fuzz(fuzzer, name, Math.max(2, Math.floor(seconds / names.length)))));
  }
  console.log(`\n${summary(results)}\n`);
  return complain(results.filter(({ code }) => code !== 0));
}

/** Says how to reproduce each finding. */
function complain(failed) {
  if (failed.length === 0) return;
  for (const { name, news } of failed) {
    for (const file of news) {
      console.log(`npm run fuzz -- --target ${name} --replay ${path.relative(root, file)}`);
    }
  }
  const names = failed.map(({ name }) => name).join(', ');
  throw new Failure(`${names}: see above; the file of a finding that is mended belongs into fuzz/corpus`);
}

if (isMain(import.meta)) {
  await main(() => {
    const string = { type: 'string' };
    const { values } = parseArgs({
      options: { seconds: string, target: string, replay: string, keep: { type: 'boolean' } },
    });
    return fuzzAll(values);
  });
}
