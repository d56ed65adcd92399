// Names of events.

/** Those that clients reserve for themselves, and those of listeners of the server's own. */
const RESERVED: ReadonlySet<string> = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);

/** Returns the name of an event that is to be sent. @internal */
export function checkName(event: string | symbol): string {
  // JavaScript without types may pass anything.
  if (typeof event !== "string" && typeof event !== "number") {
    throw new TypeError(`the name of an event has to be a text, and is ${String(event)}`);
  }
  const name = String(event);
  if (RESERVED.has(name)) throw new Error(`"${name}" is a reserved event name`);
  return name;
}
