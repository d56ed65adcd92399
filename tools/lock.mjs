// One installation or build at a time: two terminals, two clones and an editor may all
// want the same at once. The lock is a file with its owner's process id;
// an owner that died without cleaning up does not block anyone.

import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { say } from './shell.mjs';

const HEARTBEAT = 2_000;
// Whether an owner on another machine or in another container (a shared home) is
// alive cannot be checked, so a lock that it no longer touches counts as abandoned.
const LEFT_AFTER = 30_000;

/** Runs `body` while holding the lock `file`; waits for another owner, saying so once. */
export async function withLock(file, what, body) {
  mkdirSync(path.dirname(file), { recursive: true });
  let said = false;
  while (!take(file)) {
    if (isLeft(file)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!said) say(`waiting for another process that is busy with ${what} (${file})`);
    said = true;
    await delay(500);
  }
  const heartbeat = setInterval(() => touch(file), HEARTBEAT);
  heartbeat.unref();
  const release = () => rmSync(file, { force: true });
  process.on('exit', release);
  try {
    return await body();
  } finally {
    clearInterval(heartbeat);
    process.off('exit', release);
    release();
  }
}

function take(file) {
  try {
    writeFileSync(file, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isLeft(file) {
  try {
    const { mtimeMs } = statSync(file);
    if (Date.now() - mtimeMs < 2 * HEARTBEAT) return false;
    return !isAlive(Number(readFileSync(file, 'utf8'))) || Date.now() - mtimeMs > LEFT_AFTER;
  } catch {
    return false; // Gone meanwhile: the next attempt takes it.
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function touch(file) {
  try {
    const now = new Date();
    utimesSync(file, now, now);
  } catch {
    // Someone removed it by hand; nothing here depends on finding it.
  }
}
