// The inputs, made of `inputs.json` as `src/inputs.rs` makes them.

import { readFileSync } from 'node:fs';

export const inputs = JSON.parse(readFileSync(new URL('../inputs.json', import.meta.url), 'utf8'));

const repeated = (unit) => unit.repeat(Math.floor(inputs.large / Buffer.byteLength(unit)));

export const ascii = repeated(inputs.ascii);
export const unicode = repeated(inputs.unicode);

export const users = Array(
  Math.floor(inputs.large / Buffer.byteLength(JSON.stringify(inputs.user))),
).fill(inputs.user);

export const attachment = Buffer.from(
  Array.from({ length: inputs.attachment }, (_, at) => (at * 31 + 7) & 0xff),
);

/** So many messages of Engine.IO, every fourth with bytes if so asked. */
export function messages(count, words, bytes) {
  return Array.from({ length: count }, (_, at) => ({
    type: 'message',
    data: bytes && at % 4 === 3 ? attachment : `2["message","${words} ${at}"]`,
  }));
}
