// The built Worker in `wrangler dev`, as people run it while they write one: with a proxy
// of wrangler's own between the clients and the runtime.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../root.mjs';
import { atExit } from '#dormouse-test/at-exit.mjs';
import { within } from '#dormouse-test/wait.mjs';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, OBJECT, builtFile } from './built.mjs';
import { endWithParent } from './parent.mjs';

const HOST = '127.0.0.1';
const PROGRAM = path.join(root, 'node_modules', 'wrangler', 'bin', 'wrangler.js');

// It bundles before it starts, and may do so beside the other tests.
const START = 60_000;

/** Starts it on a free port. It offers `url`, `wsUrl` and `stop()`. */
export async function startWrangler({ build = 'tests/worker/build' } = {}) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'dormouse-wrangler-'));
  const configuration = path.join(directory, 'wrangler.json');
  writeFileSync(configuration, JSON.stringify(describe(builtFile(build, 'index.js'))));
  const wrangler = spawn(process.execPath, [PROGRAM, 'dev', ...args(configuration, directory)], {
    cwd: directory,
    env: environment(directory),
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its own group, so that the runtime that it has started ends with it.
    detached: true,
  });
  const ended = once(wrangler, 'exit');
  const kill = () => {
    try {
      process.kill(-wrangler.pid, 'SIGKILL');
    } catch {
      // Nothing is left of the group.
    }
  };
  const stop = async () => {
    kill();
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  ended.then(atExit(kill));
  endWithParent(stop);
  try {
    const url = await within(ready(wrangler, ended), '`wrangler dev`', START);
    return { url, wsUrl: url.replace('http', 'ws'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function describe(main) {
  return {
    name: 'dormouse',
    main,
    compatibility_date: COMPATIBILITY_DATE,
    compatibility_flags: COMPATIBILITY_FLAGS,
    send_metrics: false,
    durable_objects: { bindings: [{ name: 'DORMOUSE', class_name: OBJECT }] },
    migrations: [{ tag: 'v1', new_sqlite_classes: [OBJECT] }],
  };
}

function args(configuration, directory) {
  const ports = ['--ip', HOST, '--port', '0', '--inspector-port', '0'];
  return ['--config', configuration, ...ports, '--persist-to', path.join(directory, 'state')];
}

/** It keeps to its directory, and off the network. */
function environment(directory) {
  return {
    ...process.env,
    CI: 'true',
    NO_COLOR: '1',
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_REGISTRY_PATH: path.join(directory, 'registry'),
    MINIFLARE_REGISTRY_PATH: path.join(directory, 'registry'),
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  };
}

/** The address that it says it is ready on, or an error with all that it has said. */
async function ready(wrangler, ended) {
  const said = [];
  const found = new Promise((resolve) => {
    for (const stream of [wrangler.stdout, wrangler.stderr]) {
      createInterface(stream).on('line', (line) => {
        said.push(line);
        const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
        if (url && line.includes('Ready on')) resolve(url);
      });
    }
  });
  const over = ended.then(([code]) => {
    throw new Error(`wrangler ended (${code}):\n${said.join('\n')}`);
  });
  return Promise.race([found, over]);
}
