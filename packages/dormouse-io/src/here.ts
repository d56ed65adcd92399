// What JavaScript has in the memory of one object: its sockets, by number. The object
// loses all of it when it sleeps, and then its sockets are made again when they are heard.

import type { Socket } from "./socket.js";

/** An object, as long as it is awake. */
export class Here {
  readonly sockets = new Map<number, Socket<any, any, any, any>>();
  /** Those whose data somebody has asked for, and may have changed. */
  readonly touched = new Set<Socket<any, any, any, any>>();

  constructor(readonly number: number) {}

  /** Saves the data of all sockets whose data may have changed. */
  save(): void {
    if (this.touched.size > 0) for (const socket of [...this.touched]) socket._save();
  }
}

const all = new Map<number, Here>();
let last = 0;

/** Returns the number of an object that has just been heard of. */
export function beginHere(): number {
  last += 1;
  all.set(last, new Here(last));
  return last;
}

/** Returns an object by its number. */
export function here(number: number): Here {
  const found = all.get(number);
  if (!found) throw new Error(`there is no object ${number}`);
  return found;
}

/** Forgets an object that has lost its memory. */
export function forgetHere(number: number): void {
  all.delete(number);
}

/** Forgets all objects: the wasm instance that they were in has ended. */
export function forgetAll(): void {
  all.clear();
}
