// The built Worker on workerd itself, without Miniflare: this process may kill the runtime,
// restart it on the same storage and port, abort objects, or measure its memory. It offers
// what ../server.mjs lists, and:
//
//   pid               of workerd
//   sleepNamed(name), abortNamed(name)  do the same to the object of a name
//   abort(sid)        aborts the session's object: what it has in memory is lost
//   call(sid, method, ...args)  calls a method of the session's object, as another Worker
//                     with a binding could
//   kill()            sends SIGKILL to workerd: none of our code runs any more
//   restart(globals)  starts it on the same port and, with `storage`, the same rows; these
//                     globals are what a deploy has changed in the application
//   memory()          resident bytes of workerd
//   idOf(name)        the id of the object of a name
//   counts()          of each object that was ever there since the start, by its id: how
//                     often it was made or woken, called by another object or a route, how
//                     many of these calls were disturbed, and how often its alarm came
//   disturb(how, id)  what becomes of calls to the object of this id from now on, or of those
//                     to any object: `hangs`, `fails`, `is shaky` and others
//                     (disturbances.mjs); nothing if it does not say how

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';
import { Runtime } from '#dormouse-test/runtime.mjs';
import { startWorkerd as engine } from '#dormouse-test/workerd.mjs';
import { settled } from '../delays.mjs';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, builtWorker, objectId, startHere } from './built.mjs';

const EXTENSION = new URL('disturbances.mjs', import.meta.url);
const OBSERVER = new URL('observer.mjs', import.meta.url);

const IN_MEMORY = '/dev/shm';
const ENOUGH = 1 << 30;

/**
 * `storage`: rows are kept in files, and so outlive the process. `crowded`: there will be
 * very many objects, and each of them waits for the disk some times when it is new; so the
 * files are in memory, where the machine has a file system for that. `tidy`: garbage is
 * collected early and often, so that memory that grows is memory that is held.
 * `variables`: those of the Worker. `flags`: more compatibility flags. `observed`: the Worker
 * has a Tail Worker and a dataset (observer.mjs), which print what they are told.
 */
export function startWorkerd(options = {}) {
  const { build, storage = false, crowded = false, tidy = false, variables = {}, flags = [], observed = false } = options;
  const worker = { ...builtWorker(build), extension: EXTENSION };
  const observer = observed ? OBSERVER : undefined;
  const configuration = { date: COMPATIBILITY_DATE, flags: [...COMPATIBILITY_FLAGS, ...flags], variables, observer };
  const parent = crowded ? roomy() : os.tmpdir();
  return startHere(engine, worker, { ...configuration, parent, storage, tidy }, Built);
}

class Built extends Runtime {
  sleep(sid) {
    return this.control('evict', { id: objectId(sid), webSockets: 'hibernate' });
  }

  sleepNamed(name) {
    return this.control('evict', { name, webSockets: 'hibernate' });
  }

  abortNamed(name) {
    return this.control('abort', { name });
  }

  cut(sid) {
    return this.control('evict', { id: objectId(sid), webSockets: 'close' });
  }

  abort(sid) {
    return this.control('abort', { id: objectId(sid) });
  }

  call(sid, method, ...args) {
    return this.control('call', { id: objectId(sid), method, args });
  }

  idOf(name) {
    return this.control('id', { name });
  }

  counts() {
    return this.watch('counts');
  }

  disturb(how, id = '') {
    return this.watch('disturb', id, how);
  }

  settled() {
    return settled(this.url);
  }

  memory() {
    return residentKibi(this.pid) * 1024;
  }
}

/** A directory in memory if there is one with enough room, else on the disk. */
function roomy() {
  const { bavail, bsize } = existsSync(IN_MEMORY) ? statfsSync(IN_MEMORY) : { bavail: 0, bsize: 0 };
  return bavail * bsize > ENOUGH ? IN_MEMORY : os.tmpdir();
}

function residentKibi(pid) {
  const file = `/proc/${pid}/status`;
  // Elsewhere than on Linux, `ps` knows; it is not on every Linux.
  if (!existsSync(file)) return Number(execFileSync('ps', ['-o', 'rss=', '-p', pid]));
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(file, 'utf8'))[1]);
}
