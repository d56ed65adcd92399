// What stock clients see of files in chunks, which end in R2, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { awake, awakeAndAsleep } from '../harness/recipes.mjs';

const CHUNK = 256 << 10;

/** `define` is one of harness/recipes.mjs; `wrong` is what a chunk of a wrong size is refused with. */
export function uploads(options, define = awakeAndAsleep, wrong = 'the chunk is too large') {
  define('a file arrives whole, also after a lost connection', '/uploads/', async ({ server, open }) => {
    const file = randomBytes(2.5 * CHUNK);
    const id = randomUUID();
    const begin = (visitor) => visitor.ask('upload', id, 'cat.jpg', file.length);
    const send = (visitor, offset) => visitor.ask('chunk', id, offset, file.subarray(offset, offset + CHUNK));

    const watching = await open({ hears: ['progress'] });
    const ada = await open({});
    assert.equal(await begin(ada), 0);
    assert.equal(await send(ada, 0), CHUNK);
    assert.deepEqual(await watching.next('progress'), ['cat.jpg', CHUNK, file.length]);
    // The acknowledgement of this one is lost.
    assert.equal(await send(ada, CHUNK), 2 * CHUNK);
    await ada.lose();

    const again = await open({});
    assert.equal(await send(again, CHUNK), 2 * CHUNK);
    assert.equal(await begin(again), 2 * CHUNK);
    assert.equal(await send(again, 2 * CHUNK), file.length);
    for (const end of [2 * CHUNK, file.length]) {
      assert.deepEqual(await watching.next('progress'), ['cat.jpg', end, file.length]);
    }

    const files = await server.runtime.getR2Bucket('FILES');
    const stored = await files.get(`${id}/cat.jpg`);
    assert.ok(file.equals(Buffer.from(await stored.arrayBuffer())));
    // And nothing else is left.
    assert.deepEqual((await files.list()).objects.map(({ key }) => key), [`${id}/cat.jpg`]);
    assert.deepEqual(await send(again, 0), { error: 'there is no such upload' });
  }, options);

  awake('what is not allowed is said', '/uploads/', async ({ open }) => {
    const ada = await open({});
    const rule = { error: 'id: a UUID; name: 1 to 200 bytes; size: 1 to 8388608' };
    assert.deepEqual(await ada.ask('upload', 'an id', 'cat.jpg', 3), rule);
    assert.deepEqual(await ada.ask('upload', randomUUID(), 'cat.jpg', 1 << 30), rule);
    const id = randomUUID();
    assert.equal(await ada.ask('upload', id, 'cat.jpg', 3), 0);
    assert.deepEqual(await ada.ask('chunk', id, 0, Buffer.alloc(4)), { error: wrong });
    assert.deepEqual(await ada.ask('chunk', randomUUID(), 0, Buffer.alloc(3)), { error: 'there is no such upload' });
  }, options);
}
