// What stock clients see of notices from a queue and a cron trigger, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { awakeAndAsleep } from '../harness/recipes.mjs';

/** `define` is one of harness/recipes.mjs. */
export function notices(options, define = awakeAndAsleep) {
  define('a queue tells those who have subscribed', '/notices/', async ({ server, open, rest }) => {
    const ada = await open({ hears: ['notice'] });
    const bob = await open({ hears: ['notice'] });
    await ada.ask('subscribe', 'builds');
    await bob.ask('subscribe', 'deploys');
    assert.equal(await bob.ask('publish', { topic: 'builds', text: 'done' }), undefined);
    assert.equal(await ada.hear('notice'), 'done');

    // From outside of the Worker, and what is not a notice is in nobody's way.
    await rest();
    const queue = await server.runtime.getQueueProducer('NOTICES');
    await queue.sendBatch([{ body: 'not a notice' }, { body: { topic: 'deploys', text: 'begun' } }]);
    assert.equal(await bob.hear('notice'), 'begun');
    await server.logs.waitForLine(/this is not a notice/);
    assert.deepEqual(ada.pending('notice'), []);
  }, options);

  define('a cron trigger tells everybody', '/notices/', async ({ server, open, rest }) => {
    const all = [await open({ hears: ['time'] }), await open({ hears: ['time'] })];
    await rest();
    const worker = await server.runtime.getWorker();
    const time = new Date(1_800_000_000_000);
    assert.equal((await worker.scheduled({ cron: '0 * * * *', scheduledTime: time })).outcome, 'ok');
    for (const somebody of all) assert.deepEqual(await somebody.next('time'), [time.getTime(), 2]);
  }, options);
}
