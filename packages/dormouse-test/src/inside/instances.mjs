// The wasm instances of the Worker under count: how many there were, and how much
// linear memory they have. The built script keeps its instance to itself, so this
// must be imported before it.

const Original = WebAssembly.Instance;
/** One after the other, as one ends with a panic and the next takes over. */
let count = 0;
let memory;

WebAssembly.Instance = function Instance(module, imports) {
  const instance = new Original(module, imports);
  count += 1;
  ({ memory } = instance.exports);
  return instance;
};
WebAssembly.Instance.prototype = Original.prototype;

/** `bytes` never shrinks for as long as an instance lives. */
export function instances() {
  return { count, bytes: memory?.buffer.byteLength ?? 0 };
}
