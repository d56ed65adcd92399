// What operations return that are done at once, or are requests to an object elsewhere.

import { waitUntil } from "cloudflare:workers";
import { report } from "./context.js";
import type { Sent } from "./events.js";

/** Returns what an operation returns whose result is here, or a promise. */
export function sent(what: string, result: unknown): Sent {
  if (!(result instanceof Promise)) return true as unknown as Sent;
  let isAwaited = false;
  // The request must not be cut off when the Worker has answered the one that it comes from.
  waitUntil(
    result.catch((error: unknown) => {
      if (!isAwaited) report(what, error);
    }),
  );
  const outcome: PromiseLike<void> = {
    then(onfulfilled, onrejected) {
      isAwaited = true;
      return result.then(() => undefined).then(onfulfilled, onrejected);
    },
  };
  return outcome as Sent;
}
