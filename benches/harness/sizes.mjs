// What a wasm file with its names weighs, by crate. A function counts for the crate
// that its name names first: code that was made for a type of another crate, for
// that one.

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const CODE = 10;
const IMPORT = 2;
const DATA = 11;
const CUSTOM = 0;
const FUNCTIONS = 1;

/** `[{ crate, bytes }]`, the largest first. */
export function sizesByCrate(file) {
  const bytes = readFileSync(file);
  const { bodies, names, imports, data } = read(bytes);
  const crates = new Map([['static data', data]]);
  bodies.forEach((size, index) => {
    const crate = crateOf(names.get(imports + index) ?? '');
    crates.set(crate, (crates.get(crate) ?? 0) + size);
  });
  const list = [...crates].map(([crate, size]) => ({ crate, bytes: size }));
  return list.sort((a, b) => b.bytes - a.bytes);
}

export const gzipped = (file) => gzipSync(readFileSync(file), { level: 9 }).length;

/** The first crate that is named: `<alloc::vec::Vec<T> as core::…>::…` is of alloc. */
function crateOf(name) {
  if (name.includes('externref shim') || name.startsWith('__')) return 'the bindings';
  const [, crate] = /(?<![\w:])([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::/.exec(name) ?? [];
  return crate ?? 'other';
}

function read(bytes) {
  const result = { bodies: [], names: new Map(), imports: 0, data: 0 };
  let at = 8;
  while (at < bytes.length) {
    const id = bytes[at];
    const [length, begin] = number(bytes, at + 1);
    const end = begin + length;
    if (id === IMPORT) result.imports = countImports(bytes, begin);
    if (id === CODE) result.bodies = readBodies(bytes, begin);
    if (id === DATA) result.data = length;
    if (id === CUSTOM) readNames(bytes, begin, end, result.names);
    at = end;
  }
  return result;
}

function number(bytes, at) {
  let [value, shift] = [0, 0];
  for (;;) {
    const byte = bytes[at];
    at += 1;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
    shift += 7;
  }
}

function string(bytes, at) {
  const [length, begin] = number(bytes, at);
  return [bytes.toString('utf8', begin, begin + length), begin + length];
}

function countImports(bytes, at) {
  let [count, functions, kind] = [0, 0, 0];
  [count, at] = number(bytes, at);
  for (; count > 0; count -= 1) {
    [, at] = string(bytes, at);
    [, at] = string(bytes, at);
    kind = bytes[at];
    at += 1;
    if (kind === 0) functions += 1;
    at = skipType(bytes, at, kind);
  }
  return functions;
}

/** Past the type of an import: a function, a table, a memory, a global, a tag. */
function skipType(bytes, at, kind) {
  if (kind === 0) return number(bytes, at)[1];
  if (kind === 3) return at + 2;
  if (kind === 4) return number(bytes, at + 1)[1];
  const limits = kind === 1 ? at + 1 : at;
  const [flags, minimum] = number(bytes, limits);
  const [, maximum] = number(bytes, minimum);
  return flags & 1 ? number(bytes, maximum)[1] : maximum;
}

function readBodies(bytes, at) {
  const bodies = [];
  let [count, size] = [0, 0];
  [count, at] = number(bytes, at);
  for (; count > 0; count -= 1) {
    [size, at] = number(bytes, at);
    bodies.push(size);
    at += size;
  }
  return bodies;
}

function readNames(bytes, at, end, names) {
  let [section, length, count, index, name] = ['', 0, 0, 0, ''];
  [section, at] = string(bytes, at);
  while (section === 'name' && at < end) {
    const kind = bytes[at];
    [length, at] = number(bytes, at + 1);
    const next = at + length;
    if (kind === FUNCTIONS) {
      [count, at] = number(bytes, at);
      for (; count > 0; count -= 1) {
        [index, at] = number(bytes, at);
        [name, at] = string(bytes, at);
        names.set(index, name);
      }
    }
    at = next;
  }
}
