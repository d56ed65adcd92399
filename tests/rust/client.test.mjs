// The Rust client, rust_socketio: tests/rust/src/main.rs says what it does.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startServer } from '../harness/server.mjs';

const built = fileURLToPath(new URL('../../target/rust-client/debug/dormouse-rust-client', import.meta.url));
const client = process.env.DORMOUSE_RUST_CLIENT ?? built;
assert.ok(existsSync(client), `there is no ${client}: npm test builds it`);

const server = await startServer();
after(() => server.stop());

for (const transport of ['polling', 'websocket', 'upgrade']) {
  test(`rust_socketio, ${transport}`, async () => {
    await new Promise((resolve, reject) => {
      const options = { timeout: 60_000, killSignal: 'SIGKILL' };
      execFile(client, [transport, server.url], options, (error, stdout, stderr) => {
        if (error) reject(new Error(stderr || error.message));
        else resolve();
      });
    });
  });
}
