// Randomness that can be repeated when a test fails: the seed is in the test's name.

export const SEED = Number(process.env.DORMOUSE_TEST_SEED ?? 20_26);

/** A generator of numbers in [0, 1): mulberry32. */
export function random(seed = SEED) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const pick = (next, values) => values[Math.floor(next() * values.length)];

const FRAGMENTS = [
  '0', '1', '2', '3', '4', '5', '6', '7', 'b', 'b4', ':', '\x1e', '\\n', '\\', '"', '%', '&d=',
  '2probe', '3probe', '4hello', '1:2', '6:4hello', '10:b4AQIDBA==', 'bAQIDBA==', 'b=', 'b!!!!',
  '9999999999999999999999:', '-1:', '0:', '0{"sid":"x"}', 'é', '€', '🦔', '\u0000', '\u2028',
  '\ufeff', '[[[[[[[[', '{"a":{"a":', 'x'.repeat(2_000),
].map((text) => Buffer.from(text));

const BYTES = [
  [0xff], [0x00], [0x01], [0x04], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xed, 0xb0, 0x80],
  [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0, 6, 0xff, 0x34], [1, 5, 0xff, 4, 1, 2, 3, 4],
  [0, 9, 9, 9, 9, 0xff], [1, 0, 0xff], [0x1e],
].map((bytes) => Buffer.from(bytes));

/** A body made of what means something to the protocol, in no sensible order. */
export function nonsense(next) {
  const parts = Array.from({ length: 1 + Math.floor(next() * 6) }, () =>
    next() < 0.7 ? pick(next, FRAGMENTS) : pick(next, BYTES),
  );
  return Buffer.concat(parts);
}
