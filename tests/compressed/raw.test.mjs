// The raw tests of what WebSockets carry, once more where the runtime compresses them: in
// a Worker that does not set `no_web_socket_compression`. A bound must not depend on how
// many bytes a message has on the wire.

process.env.DORMOUSE_TEST_COMPRESSION = 'on';

const files = [
  'engine/bad-input',
  'engine/framing-revision-3',
  'engine/framing-revision-4',
  'engine/closing',
  'faults/oversized',
  'socket/raw-bad-input',
  'socket/raw-binary',
  'socket/raw-packets',
];

// Not `import` statements: these would be run before the variable is set.
for (const file of files) await import(`../${file}.test.mjs`);
