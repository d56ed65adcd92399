// The stock admin UI, driven by a person: its pages come from the npm package's folder, which
// is that of the Worker's assets, as in docs/admin-ui.md.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { keepScreenshot, openPage, packageFile, startBrowser } from '../harness/clients/browser.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { startServer } from '../harness/server.mjs';

const PASSWORD = 'correct horse battery staple';

const assets = packageFile('@socket.io/admin-ui/ui');
const server = await startServer({ assets, worker: { bindings: { ADMIN_PASSWORD: PASSWORD } } });
after(() => server.stop());
const browser = await startBrowser();
after(() => browser.close());

const enter = (name) =>
  join(server, newest, { path: '/admin-all/', transports: ['websocket'], auth: { name, rooms: ['kitchen'] } });

/** The UI's page. It wants fonts from elsewhere, which are not there. */
async function openUi(t) {
  const page = await openPage(browser, t, { viewport: { width: 1400, height: 800 } });
  await page.route((url) => url.origin !== server.entryUrl, (route) => route.abort());
  await page.goto(`${server.entryUrl}/admin-ui`);
  return page;
}

async function logIn(page, password) {
  await page.getByLabel('Server URL').fill(server.entryUrl);
  await page.getByLabel('Username').fill('admin');
  await page.getByLabel('Password').fill(password);
  if (!(await page.getByLabel('Path').isVisible())) await page.getByText('Advanced options').click();
  await page.getByLabel('Path').fill('/admin-all');
  await page.getByRole('button', { name: 'Connect' }).click();
}

const go = (page, to) => page.locator(`nav a[href="#/${to}"]`).click();
const row = (page, text) => page.locator('tbody tr', { hasText: text });

test('somebody logs in, sees a socket and its room, and disconnects it', async (t) => {
  const ada = await enter('ada');
  const { id } = ada;
  const page = await openUi(t);
  await logIn(page, 'wrong password');
  await page.getByText('Invalid credentials').waitFor();
  await logIn(page, PASSWORD);
  await page.getByText('Connection and disconnection events').waitFor();

  await go(page, 'sockets');
  await row(page, id).waitFor();
  await go(page, 'rooms');
  await row(page, 'kitchen').waitFor();
  await keepScreenshot(page, 'admin-ui');
  await go(page, 'sockets');
  await row(page, id).click();
  await page.getByText('"name": "ada"').waitFor();
  await row(page, 'kitchen').waitFor();

  const bob = await enter('bob');
  await go(page, 'sockets');
  await row(page, bob.id).waitFor();
  await row(page, id).getByRole('button').click();
  assert.equal(await ada.end(), 'io server disconnect');
  // The click opens the socket's page as well.
  await page.getByText('Disconnected').first().waitFor();
  await go(page, 'sockets');
  await row(page, id).first().waitFor({ state: 'detached' });

  await page.reload();
  await row(page, bob.id).waitFor();
  await go(page, 'servers');
  await row(page, 'Healthy').waitFor();
  bob.close();
  assert.deepEqual(page.complaints.filter((it) => !it.includes('ERR_FAILED')), []);
});
