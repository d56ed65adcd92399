// Whoever started the tests may be killed: then nobody wants the runtime any more.

const EVERY = 1_000;

/** Stops the runtime, and this process with it, once its parent is gone. */
export function endWithParent(stop) {
  const parent = process.ppid;
  const watch = () => process.ppid !== parent && stop().finally(() => process.exit(1));
  setInterval(watch, EVERY).unref();
}
