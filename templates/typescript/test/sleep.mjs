// Tests from outside of the runtime, which see the chat fall asleep and crash.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { start } from "dormouse-test";
import { io } from "socket.io-client";

const worker = await start();
after(() => worker.stop());

/** Somebody who is in a room. */
async function enter(name, room) {
  const client = await worker.connect(io, { auth: { name } });
  await client.ask("enter", room);
  return client;
}

test("people in a room hear each other, whoever has slept", async () => {
  const [ada, bob] = [await enter("Ada", "lobby"), await enter("Bob", "lobby")];
  for (const text of ["hello", "still there?"]) {
    await worker.sleep();
    ada.emit("message", text);
    for (const client of [ada, bob]) assert.deepEqual(await client.next("message"), ["Ada", text]);
  }
  await worker.sleep();
  bob.close();
  assert.deepEqual(await ada.next("left"), ["Bob"]);
});

test("after a crash, a room is entered again", async () => {
  const eve = await enter("Eve", "kitchen");
  await worker.abort(eve);
  await eve.next("disconnect");
  await eve.next("connect");
  assert.deepEqual(await eve.ask("enter", "kitchen"), ["Eve"]);
});
