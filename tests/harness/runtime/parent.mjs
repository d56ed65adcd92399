// Ends a runtime whose tests were killed, because nothing else would.

const EVERY = 1_000;

/** Stops the runtime, and this process with it, once the parent process is gone. */
export function endWithParent(stop) {
  const parent = process.ppid;
  const watch = () => process.ppid !== parent && stop().finally(() => process.exit(1));
  setInterval(watch, EVERY).unref();
}
