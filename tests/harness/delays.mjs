// The only fixed delays of the tests, each with its reason. Everything that can be
// observed is waited for instead (wait.mjs of the package dormouse-test). All in milliseconds.

import { setTimeout as delay } from 'node:timers/promises';

/**
 * Lets time pass where time is the subject: a timeout that must, or must not, have
 * expired by the clock alone, or the pace of a load.
 */
export const pass = (ms) => delay(ms);

/** Gives what must not happen the time to happen: an absence cannot be waited for. */
export const nothingComes = () => delay(100);

// The server saves a polling session at most this long after its last change.
const SAVED_AFTER = 500;
const MARGIN = 200;

/**
 * Waits until polling sessions of the server at `url` have certainly been saved: no answer and
 * no log line says so. A server that is busy has come to its timers once it answers.
 */
export async function settled(url) {
  await delay(SAVED_AFTER + MARGIN);
  await (await fetch(url)).arrayBuffer();
}
