// Stock clients that are separate programs: they exit with 0 if all went well, and
// report on stderr what did not.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from '../root.mjs';

/** In milliseconds. Longer than elsewhere: each starts an interpreter first. */
const PATIENCE = 60_000;

/** The path of a program that tools/test.mjs prepares: from this variable, or the default. */
export function prepared(variable, file) {
  const program = process.env[variable] ?? path.join(root, file);
  assert.ok(existsSync(program), `there is no ${program}: npm test makes one`);
  return program;
}

/** Runs a program and returns what it printed. */
export function run(program, ...args) {
  return new Promise((resolve, reject) => {
    const options = { timeout: PATIENCE, killSignal: 'SIGKILL' };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${args.join(' ')}\n${stdout}\n${stderr || error.message}`));
      else resolve(stdout);
    });
  });
}
