// Counts crossings: calls of the built Worker's wasm to JavaScript, on a platform that
// does nothing. Each costs as much as decoding a message, whatever the machine. This must
// be imported before the build is.

const Original = WebAssembly.Instance;
let count = 0;

WebAssembly.Instance = function Instance(module, imports) {
  for (const space of Object.values(imports)) {
    for (const [name, call] of Object.entries(space)) {
      if (typeof call !== 'function') continue;
      space[name] = (...args) => {
        count += 1;
        return call(...args);
      };
    }
  }
  return new Original(module, imports);
};

/** The number of crossings while `work` is done, and what comes of it. */
export async function crossings(work) {
  const before = count;
  const result = await work();
  // What is left for microtasks belongs to it.
  await new Promise(setImmediate);
  return { count: count - before, result };
}
