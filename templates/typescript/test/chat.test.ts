import { expect, test } from "vitest";
import { connect } from "./client";

test("people in a room hear each other", async () => {
  const [ada, bob] = [connect({ auth: { name: "Ada" } }), connect({ auth: { name: "Bob" } })];
  expect(await ada.emitWithAck("enter", "lobby")).toEqual(["Ada"]);
  expect(await bob.emitWithAck("enter", "lobby")).toEqual(["Ada", "Bob"]);
  const heard = new Promise((resolve) => bob.on("message", (...args) => resolve(args)));
  ada.emit("message", "hello");
  expect(await heard).toEqual(["Ada", "hello"]);
  for (const socket of [ada, bob]) socket.close();
});

test("somebody without a name is refused", async () => {
  const nobody = connect();
  const error = await new Promise<Error>((resolve) => nobody.on("connect_error", resolve));
  expect(error.message).toBe("everybody here has a name");
});
