// Arguments on their way from JSON to JavaScript, and back. Bytes travel beside the JSON,
// and `{"_placeholder":true,"num":0}` stands for the first of them.

type Node = Record<string | number, unknown>;

/** Arguments as they are passed into wasm. */
export interface Encoded {
  json: string;
  attachments: Uint8Array[] | undefined;
}

/** Encodes a list of arguments. */
export function encode(args: readonly unknown[]): Encoded {
  if (!args.some(mayHaveBytes) || !hasBytes(args)) return { json: JSON.stringify(args), attachments: undefined };
  const attachments: Uint8Array[] = [];
  const json = JSON.stringify(detach(args, attachments, []));
  return { json, attachments };
}

/** Decodes a list of values, with the placeholders' attachments in their places. */
export function decode(json: string, attachments: readonly Uint8Array[] | undefined): unknown[] {
  const values = JSON.parse(json) as unknown[];
  if (attachments && attachments.length > 0) attach(values as unknown as Node, attachments);
  return values;
}

/** Decodes what wasm returns: JSON, or an array of JSON and attachments. */
export function decodeAnswer(answer: string | [string, Uint8Array[]]): unknown[] {
  return typeof answer === "string" ? decode(answer, undefined) : decode(answer[0], answer[1]);
}

function mayHaveBytes(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}

/** Returns whether there are bytes in a value, however deep. */
function hasBytes(value: unknown): boolean {
  const seen = new Set<object>();
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    if (bytesOf(next)) return true;
    seen.add(next);
    for (const item of Array.isArray(next) ? next : Object.values(next)) {
      if (mayHaveBytes(item)) open.push(item);
    }
  }
  return false;
}

/**
 * Returns a copy with placeholders in the place of bytes. Anything else that would look
 * like one is changed, as no client could tell the two apart.
 */
function detach(value: unknown, attachments: Uint8Array[], within: object[]): unknown {
  if (typeof value !== "object" || value === null) return value;
  const bytes = bytesOf(value);
  if (bytes) return { _placeholder: true, num: attachments.push(bytes) - 1 };
  if (within.includes(value)) throw new TypeError("an argument contains itself");
  within.push(value);
  let copy: unknown;
  if (Array.isArray(value)) {
    copy = value.map((item) => detach(item, attachments, within));
  } else if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    copy = detach((value as { toJSON(): unknown }).toJSON(), attachments, within);
  } else {
    const members = Object.entries(value).map(([name, member]) => [
      name,
      name === "_placeholder" ? false : detach(member, attachments, within),
    ]);
    copy = Object.fromEntries(members);
  }
  within.pop();
  return copy;
}

/** Puts attachments into the places of their placeholders. */
function attach(root: Node, attachments: readonly Uint8Array[]): void {
  const open: Node[] = [root];
  for (let node = open.pop(); node; node = open.pop()) {
    for (const [key, child] of Object.entries(node)) {
      if (typeof child !== "object" || child === null) continue;
      const { _placeholder, num } = child as { _placeholder?: unknown; num?: unknown };
      const bytes = _placeholder === true && typeof num === "number" ? attachments[num] : undefined;
      if (!bytes) {
        open.push(child as Node);
      } else if (key === "__proto__") {
        // As JSON.parse does: a member of its own.
        Object.defineProperty(node, key, { value: bytes, configurable: true, enumerable: true, writable: true });
      } else {
        node[key] = bytes;
      }
    }
  }
}
