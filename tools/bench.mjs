// `npm run bench`: measures Dormouse beside a hand-written Durable Object, npm's
// socket.io on Node, and the codecs of others. See benches/README.md.
//
//   npm run bench                    all of it, at most a quarter of an hour
//   npm run bench -- --quick         a sample, in two minutes once everything is built
//   npm run bench -- --only echo     only the messages and broadcasts of that name
//   npm run bench -- --typescript    the same application on dormouse-io, beside Rust
//   npm run bench -- --only objects  a room in many objects, beside Redis (apt install redis-server)
//   npm run bench -- --only pauses   how long others wait for what concerns all clients
//   npm run bench -- --sizes         the size of the playground's wasm, by crate
//
// The table is printed, and written as JSON to target/bench.json.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure, capture, keepTemporaryFiles, main, root, run, say } from './shell.mjs';
import { build, playground } from './build.mjs';
import { clientsWithin } from './files.mjs';
import { pack } from './npm-package.mjs';
import { ensureNpmPackages, modernNode } from './setup.mjs';

const benchWorker = 'benches/worker';
/** Many objects: only on request, since it wants Redis. */
const OBJECTS = 'objects';
const redis = path.join(root, 'benches/servers/redis');

async function prepare(args) {
  await ensureNpmPackages();
  if (args.includes('--sizes')) return sizes();
  if (process.platform !== 'linux')
    throw new Failure('processor time is read from /proc, which only Linux has');
  await build(playground);
  await build(benchWorker, { speed: true });
  if (args.includes('--typescript')) await pack();
  if (args[args.indexOf('--only') + 1] === OBJECTS) await prepareRedis();
  const script = [fileURLToPath(import.meta.url), '--here', ...args];
  await run(await modernNode(), script, { orElse: 'the benchmark broke off, see above' });
}

async function prepareRedis() {
  if (!(await capture('redis-server', ['--version']))) {
    throw new Failure('there is no redis-server to compare with: apt install redis-server');
  }
  if (existsSync(path.join(redis, 'node_modules'))) return;
  const args = ['ci', '--prefix', redis, '--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', args, { orElse: 'npm could not install the packages, see above' });
}

async function sizes() {
  const { gzipped, sizesByCrate } = await import('../benches/harness/sizes.mjs');
  const wasm = path.join(root, 'build/index_bg.wasm');
  // Functions' names show which crate they belong to. They are not deployed.
  await build(playground, { names: true });
  const crates = sizesByCrate(wasm);
  await build(playground);
  const all = crates.reduce((sum, { bytes }) => sum + bytes, 0);
  console.log(`\nbuild/index_bg.wasm: ${gzipped(wasm).toLocaleString('en')} bytes gzipped, of which by bytes before that\n`);
  for (const { crate, bytes } of crates.filter(({ bytes }) => bytes >= all / 500)) {
    const share = ((100 * bytes) / all).toFixed(1).padStart(5);
    console.log(`${share} %  ${bytes.toLocaleString('en').padStart(8)}  ${crate}`);
  }
}

async function here(args) {
  const quick = args.includes('--quick');
  const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;
  if (args.includes('--only') && !only) throw new Failure('--only wants a part of a name');
  const { benchCrowds, benchObjects, benchPauses, benchServers, benchWasm } = await import('../benches/run.mjs');
  const { benchCodec } = await import('./bench/codec.mjs');
  const { table } = await import('../benches/harness/report.mjs');

  const typescript = args.includes('--typescript');
  const options = { quick, only, typescript, onProgress: say };
  const rows = [];
  const alone = { [OBJECTS]: benchObjects, pauses: benchPauses }[only];
  // The sample leaves the largest crowd out. Clients of a peer may be open beside it.
  const largest = quick ? undefined : await clientsWithin(10_000, 1_010);
  rows.push(...(await (alone ?? benchServers)({ ...options, largest })));
  if (!only && !typescript) {
    rows.push(...(await benchCrowds({ ...options, largest })));
    rows.push(...(await benchPauses({ ...options, largest })));
    rows.push(...(await benchWasm({ ...options, build: path.join(root, 'build') })));
    rows.push(...(await benchCodec(options)));
  }
  console.log(`\n${machine()}\n\n${table(rows)}\n`);
  mkdirSync(path.join(root, 'target'), { recursive: true });
  writeFileSync(path.join(root, 'target/bench.json'), `${JSON.stringify(rows, null, 2)}\n`);
  say('target/bench.json has the same');
}

function machine() {
  const [{ model }] = os.cpus();
  return `${os.cpus().length} × ${model}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

const args = process.argv.slice(2);
keepTemporaryFiles();
await main(() => (args[0] === '--here' ? here(args.slice(1)) : prepare(args)));
