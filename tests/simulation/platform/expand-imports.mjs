// The build writes its imports in the compact form, which workerd reads and the
// V8 of older Nodes does not: this writes them out one by one. Nothing else in
// the module changes.

const IMPORTS = 2;
const EACH_ITS_TYPE = 0x7f;
const ONE_TYPE = 0x7e;

/** The same module with every import spelt out. */
export function expandImports(bytes) {
  const parts = [bytes.subarray(0, 8)];
  const reader = new Reader(bytes, 8);
  while (reader.at < bytes.length) {
    const start = reader.at;
    const id = reader.byte();
    const size = reader.number();
    const end = reader.at + size;
    if (id === IMPORTS) {
      const section = expandSection(reader);
      parts.push(Buffer.concat([Buffer.from([IMPORTS]), leb(section.length), section]));
    } else {
      parts.push(bytes.subarray(start, end));
    }
    reader.at = end;
  }
  return Buffer.concat(parts);
}

function expandSection(reader) {
  const imports = [];
  for (let groups = reader.number(); groups > 0; groups -= 1) {
    const module = reader.name();
    const name = reader.name();
    const kind = reader.peek();
    if (name.length > 1 || (kind !== EACH_ITS_TYPE && kind !== ONE_TYPE)) {
      imports.push([module, name, reader.type()]);
      continue;
    }
    reader.byte();
    const shared = kind === ONE_TYPE ? reader.type() : undefined;
    for (let count = reader.number(); count > 0; count -= 1) {
      const own = reader.name();
      imports.push([module, own, shared ?? reader.type()]);
    }
  }
  return Buffer.concat([leb(imports.length), ...imports.flat()]);
}

class Reader {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  peek() {
    return this.bytes[this.at];
  }

  byte() {
    this.at += 1;
    return this.bytes[this.at - 1];
  }

  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** A name with its length before it. */
  name() {
    const start = this.at;
    const length = this.number();
    this.at += length;
    return this.bytes.subarray(start, this.at);
  }

  /** What is imported: a function, a table, a memory, a global or a tag. */
  type() {
    const start = this.at;
    const kind = this.byte();
    if (kind === 0) this.number();
    else if (kind === 1) this.#table();
    else if (kind === 2) this.#limits();
    else if (kind === 3) this.at += 2;
    else if (kind === 4) this.at += 1 + leb(this.#after()).length;
    else throw new Error(`an import of kind ${kind}, which the simulator cannot read`);
    return this.bytes.subarray(start, this.at);
  }

  #after() {
    return new Reader(this.bytes, this.at + 1).number();
  }

  #table() {
    this.byte();
    this.#limits();
  }

  #limits() {
    const flags = this.byte();
    this.number();
    if (flags & 1) this.number();
  }
}

function leb(number) {
  const bytes = [];
  do {
    bytes.push((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
    number = Math.floor(number / 128);
  } while (number > 0);
  return Buffer.from(bytes);
}
