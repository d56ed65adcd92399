// The programs that this package runs: those of the wrangler that the project has, so that
// tests run on what `wrangler dev` runs on.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** The project is where tests are run; this package may be elsewhere, behind a link. */
const places = [`${process.cwd()}/package.json`, import.meta.url].map(createRequire);

/** Returns the path of a file of wrangler's. */
export function wranglerFile(name) {
  for (const { resolve } of places) {
    try {
      return path.join(path.dirname(resolve('wrangler/package.json')), name);
    } catch {
      // It is not to be found from there.
    }
  }
  throw new Error('dormouse-test needs wrangler 4.164 or newer: `npm install --save-dev wrangler`');
}

/** What wrangler brings along is found from where wrangler is. */
const along = () => createRequire(wranglerFile('package.json'));

export const importWrangler = () => import(pathToFileURL(along().resolve('wrangler')).href);

export const importMiniflare = () => import(pathToFileURL(along().resolve('miniflare')).href);

/** Returns the path of the program `workerd`. */
export function workerd() {
  const found = along()('workerd');
  return found.default ?? found;
}
