// What strict mode, which is on in development, looks out for besides.

import { current } from "./context.js";

let isWatching = false;

/** Warns, once for each place in the code, of timers that handlers set. */
export function warnOfTimers(): void {
  if (isWatching) return;
  isWatching = true;
  const seen = new Set<string>();
  for (const name of ["setTimeout", "setInterval"] as const) {
    const original = globalThis[name] as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]): unknown => {
      if (current()) warn(name, seen);
      return original(...args);
    };
    Object.assign(globalThis, { [name]: watched });
  }
}

function warn(name: string, seen: Set<string>): void {
  // The lines above are those of this file.
  const where = new Error().stack?.split("\n").slice(3, 4).join("").trim() ?? "";
  if (seen.has(where)) return;
  seen.add(where);
  console.warn(
    `dormouse-io: ${name} ${where} is called by a handler: the object stays awake until it is due, which costs money, ` +
      "and it is lost if the object is cut off meanwhile",
  );
}

/** Whether the bundler builds for development, or for tests. */
export const isDevelopment = (() => {
  try {
    // Bundlers replace this by a text.
    return ["development", "test"].includes(process.env.NODE_ENV as string);
  } catch {
    return false;
  }
})();

declare const process: { env: { NODE_ENV?: string } };
