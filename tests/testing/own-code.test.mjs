// What an application does besides Dormouse: its own use of time and storage, its bindings,
// and a class of objects by another name.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, start } from '#dormouse-test/index.mjs';
import { workerOnly } from '../harness/target.mjs';
import { makeProject } from './project.mjs';

const source = `
import { DurableObject } from 'cloudflare:workers';

export class Rooms extends DurableObject {
  ticks = 0;

  async fetch(request) {
    const { storage } = this.ctx;
    switch (new URL(request.url).pathname) {
      case '/dates':
        return Response.json([Date.now(), new Date().getTime(), Date.parse(Date()), new Date(0).getTime(), new Date() instanceof Date]);
      case '/tick':
        this.interval ??= setInterval(() => (this.ticks += 1), 60_000);
        return Response.json(this.ticks);
      case '/hush':
        clearInterval(this.interval);
        return Response.json(this.ticks);
      case '/store':
        await storage.put({ a: 1, b: 2 });
        storage.kv.put('c', 3);
        return Response.json([[...(await storage.list()).keys()], [...storage.kv.list()].length, await storage.get('b')]);
      case '/hurry':
        await storage.setAlarm(0);
        return new Response();
    }
  }

  alarm() {
    return this.ctx.storage.setAlarm(0);
  }
}

export default {
  async fetch(request, env, context) {
    await env.SEEN.put('last', request.url);
    const stub = context.exports.Rooms.getByName('the only one');
    const answer = await stub.fetch(request);
    return new Response(answer.body, { headers: { seen: await env.SEEN.get('last') } });
  },
};
`;

describe('an application’s own code', workerOnly, () => {
  let worker;
  before(async () => {
    const project = makeProject({
      main: 'main.js',
      build: undefined,
      durable_objects: undefined,
      compatibility_flags: ['enable_ctx_exports'],
      migrations: [{ tag: 'v1', new_sqlite_classes: ['Rooms'] }],
      kv_namespaces: [{ binding: 'SEEN', id: 'seen' }],
    });
    writeFileSync(path.join(project, 'main.js'), source);
    const config = path.join(project, 'wrangler.json');
    const folder = await build({ config, folder: path.join(project, 'built') });
    worker = await start({ folder, quiet: true, clock: 'manual' });
  });
  after(() => worker?.stop());

  const ask = async (what) => (await fetch(`${worker.url}/${what}`)).json();

  test('has the bindings of its configuration', async () => {
    const answer = await fetch(`${worker.url}/dates`);
    assert.match(answer.headers.get('seen'), /\/dates$/);
  });

  test('sees the time of the clock, however it asks', async () => {
    await worker.clock.advance(3_600_000);
    const now = await worker.clock.now();
    const [first, second, third, beginning, isDate] = await ask('dates');
    assert.deepEqual([first, second, beginning, isDate], [now, now, 0, true]);
    assert.equal(third, now - (now % 1_000));
  });

  test('has its intervals', async () => {
    assert.equal(await ask('tick'), 0);
    await worker.clock.advance(59_999);
    assert.equal(await ask('tick'), 0);
    await worker.clock.advance(120_001);
    assert.equal(await ask('hush'), 3);
    await worker.clock.advance(9_999);
    assert.equal(await ask('hush'), 3);
    await worker.clock.advance(10_000);
    assert.equal(await ask('hush'), 0, 'it has slept, and what was in memory is gone');
  });

  test('is billed for its values', async () => {
    let answer;
    const spent = await worker.meter.spent(async () => (answer = await ask('store')));
    assert.deepEqual(answer, [['a', 'b', 'c'], 3, 2]);
    const { requests, workerRequests, rowsWritten, rowsRead } = spent;
    assert.deepEqual({ requests, workerRequests, rowsWritten, rowsRead }, { requests: 1, workerRequests: 1, rowsWritten: 3, rowsRead: 7 });
  });

  test('that never comes to rest is an error', async () => {
    await fetch(`${worker.url}/hurry`);
    await assert.rejects(worker.clock.advance(1), /time stands still/);
  });
});
