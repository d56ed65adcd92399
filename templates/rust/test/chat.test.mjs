// The Worker on its runtime, with stock clients. `npm test` builds it first.

import { after, test } from "node:test";
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import { start } from "dormouse-test";

const worker = await start();
after(() => worker.stop());

test("people in a room hear each other, through sleep", async () => {
  const ada = await worker.connect(io, { auth: { name: "Ada" } });
  const bob = await worker.connect(io, { auth: { name: "Bob" } });
  assert.deepEqual(await ada.next("entered"), ["Bob"]);
  await ada.ask("join", "lobby");

  for (const text of ["hello", "still there?"]) {
    // Whatever is not stored is forgotten now.
    await worker.sleep();
    bob.emit("say", "lobby", text);
    assert.deepEqual(await ada.next("said"), ["Bob", "lobby", text]);
  }
});

test("somebody without a name is refused", async () => {
  await assert.rejects(worker.connect(io, { auth: { name: "" } }), { message: "who are you?" });
});
