// The ids of objects, and what begins with one.

const OBJECT = /^[0-9a-f]{64}$/;
/** 32 bytes, as base64url without padding. */
const BEGINNING = /^[A-Za-z0-9_-]{43}/;

/**
 * Returns the id of the object that a socket or a session is in, in hexadecimal: `socket.id`,
 * and the sid of an Engine.IO session, begin with it. An object's own id is returned as it is.
 */
export function objectId(of) {
  const id = String(typeof of === 'string' ? of : of?.id);
  if (OBJECT.test(id)) return id;
  const [beginning] = BEGINNING.exec(id.slice(id.indexOf('#') + 1)) ?? [];
  if (!beginning) throw new TypeError(`“${id}” is neither the id of a socket or a session, nor that of an object`);
  return Buffer.from(beginning, 'base64url').toString('hex');
}
