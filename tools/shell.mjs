// Helpers of all scripts here: say something, run something, give up with one line.
// They use only Node's own modules, because they run before anything is installed.

import { spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. Every script works from here, wherever it was started. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** Where programs are that all clones of a user share. */
export const cache = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'dormouse');

/** A failure that the user can do something about; its message says what. */
export class Failure extends Error {}

export function say(message) {
  console.log(`dormouse: ${message}`);
}

/** True in the file that `node` was asked to run. */
export function isMain(meta) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(meta.url);
}

/** Runs a script's body. A `Failure` is one line; any other error is a bug and shows its stack. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    console.error(error instanceof Failure ? `dormouse: ${error.message}` : error);
    process.exitCode = 1;
  }
}

/**
 * Has this process, and all that it starts, keep temporary files in a folder that is gone when
 * it ends: browsers and tests that are killed remove nothing themselves.
 */
export function keepTemporaryFiles() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'dormouse-'));
  // As others' are: `apt-get` writes there as somebody else.
  chmodSync(folder, 0o1777);
  process.env.TMPDIR = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
}

/**
 * Runs a program, shows its output as it comes, and resolves to its exit status
 * (128: a signal). `onText` gets the output too, or if it is `quiet`, alone. Standard input
 * is empty by default, so that nothing stops to ask a question.
 */
export function status(program, args = [], { cwd = root, env, onText, quiet = false, stdin = 'ignore' } = {}) {
  return new Promise((resolve, reject) => {
    const output = onText ? 'pipe' : 'inherit';
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [stdin, output, output],
    });
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from?.setEncoding('utf8').on('data', (text) => {
        if (!quiet) to.write(text);
        onText(text);
      });
    }
    // Whoever stops this process means all of it.
    const stop = () => child.kill();
    process.once('exit', stop);
    child.on('error', ({ code }) => reject(new Failure(`\`${program}\` cannot be started (${code})`)));
    child.on('close', (code) => {
      process.off('exit', stop);
      resolve(code ?? 128);
    });
  });
}

/**
 * Runs a program that may not end by itself, as `status` does, and ends with it all that it
 * has started in its process group. It is killed `grace` milliseconds after it has printed
 * a line that matches `last`, and in any case after `limit` milliseconds: then the status
 * is 128.
 */
export function statusWithin(program, args, { env, onText, last, grace, limit }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const endGroup = () => endProcessGroup(child.pid);
    const interrupt = () => {
      endGroup();
      process.exit(130);
    };
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, interrupt);
    const timers = [setTimeout(endGroup, limit)];
    let line = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      process.stdout.write(text);
      onText(text);
      line += text;
      if (last.test(line)) timers.push(setTimeout(endGroup, grace));
      line = line.slice(line.lastIndexOf('\n') + 1);
    });
    child.stderr.pipe(process.stderr, { end: false });
    child.on('error', ({ code }) => reject(new Failure(`\`${program}\` cannot be started (${code})`)));
    // What it left behind may hold its output open, and would be waited for.
    child.on('exit', endGroup);
    child.on('close', (code) => {
      timers.forEach((timer) => clearTimeout(timer));
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupt);
      resolve(code ?? 128);
    });
  });
}

function endProcessGroup(leader) {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nothing is left of it.
  }
}

/** Runs a program that has to succeed; `orElse` says what to do when it does not. */
export async function run(program, args, { orElse, ...options } = {}) {
  const code = await status(program, args, options);
  if (code !== 0) {
    throw new Failure(orElse ?? `\`${path.basename(program)} ${args.join(' ')}\` failed, see above`);
  }
}

/** Returns what a program prints, trimmed; `undefined` if it is missing or fails. */
export function capture(program, args = [], { cwd = root, env } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more) => (text += more));
    child.on('error', () => resolve(undefined));
    child.on('close', (code) => resolve(code === 0 ? text.trim() : undefined));
  });
}

/** Returns the first of these programs that is on the PATH, as an absolute path. */
export function which(...names) {
  for (const name of names) {
    for (const directory of (process.env.PATH ?? '').split(path.delimiter)) {
      const file = path.resolve(directory, name);
      if (isExecutable(file)) return file;
    }
  }
  return undefined;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Returns whether dotted version `a` is at least `b`. */
export function atLeast(a, b) {
  const [left, right] = [a, b].map((version) => version.split(/[.-]/).map(Number));
  for (const [i, wanted] of right.entries()) {
    if ((left[i] ?? 0) !== wanted) return (left[i] ?? 0) > wanted;
  }
  return true;
}
