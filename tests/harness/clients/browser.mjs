// Chromium, driven as a person would use it.

import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { atExit } from '#dormouse-test/at-exit.mjs';
import { root } from '../root.mjs';

const artifacts = path.join(root, 'target', 'artifacts');

export async function startBrowser() {
  const executablePath = process.env.CHROMIUM;
  if (!executablePath) throw new Error('CHROMIUM is not set: npm test knows where the browser is');
  // What it leaves there if it is killed.
  const folder = mkdtempSync(path.join(os.tmpdir(), 'dormouse-chromium-'));
  const tidy = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  const forget = atExit(tidy);
  const browser = await chromium.launch({
    executablePath,
    env: { ...process.env, TMPDIR: folder },
    // No sandbox, for machines where tests run as root; and nothing that would
    // look for the network by itself.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
  browser.once('disconnected', () => {
    forget();
    tidy();
  });
  return browser;
}

/** A page that keeps what went wrong in it: `page.complaints`. */
export async function openPage(browser, t, { viewport = { width: 1000, height: 760 }, ...options } = {}) {
  const page = await browser.newPage({ viewport, ...options });
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') page.complaints.push(message.text());
  });
  t.after(() => page.close());
  return page;
}

/** Keeps what the page looks like, as the test's artifact. */
export async function keepScreenshot(page, name) {
  await mkdir(artifacts, { recursive: true });
  const file = path.join(artifacts, `${name}.png`);
  await page.screenshot({ path: file });
  return file;
}

/** The file of an old client that is in tests/browser/bundles.json. */
export function bundleFile(name) {
  const folder = process.env.DORMOUSE_BUNDLES;
  if (!folder) throw new Error('DORMOUSE_BUNDLES is not set: npm test fetches the old clients');
  return path.join(folder, `${name}.js`);
}

/** The file of an npm package that a page loads. */
export function packageFile(name) {
  return path.join(root, 'node_modules', name);
}
