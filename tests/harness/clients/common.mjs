// Helpers for the stock JavaScript clients of Engine.IO and of Socket.IO.

export const ways = [
  { name: 'polling only', transports: ['polling'], ends: 'polling' },
  { name: 'WebSocket only', transports: ['websocket'], ends: 'websocket' },
  { name: 'polling then upgrade', transports: ['polling', 'websocket'], ends: 'websocket' },
];

/** Turns the bytes of any library into a Buffer; returns anything else as it is. */
export function withBuffer(value) {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return value;
}
