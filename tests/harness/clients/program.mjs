// Stock clients that are programs of their own: they exit with 0 where all is as it
// should be, and what is not, they say on stderr.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from '../root.mjs';

/** In milliseconds: they bring an interpreter and scenarios of their own. */
const PATIENCE = 60_000;

/** A program that tools/test.mjs prepares: the path in this variable, or where it is by default. */
export function prepared(variable, file) {
  const program = process.env[variable] ?? path.join(root, file);
  assert.ok(existsSync(program), `there is no ${program}: npm test makes one`);
  return program;
}

/** What it prints, once it has ended well. */
export function run(program, ...args) {
  return new Promise((resolve, reject) => {
    const options = { timeout: PATIENCE, killSignal: 'SIGKILL' };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${args.join(' ')}\n${stdout}\n${stderr || error.message}`));
      else resolve(stdout);
    });
  });
}
