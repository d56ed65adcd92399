// The pages of the admin UI, from the Worker's assets.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { root } from '../harness/root.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const assets = path.join(path.dirname(createRequire(import.meta.url).resolve('@socket.io/admin-ui/package.json')), 'ui');

describe('where the assets are those of the npm package', workerOnly, async () => {
  const server = await startServer({ assets });
  after(() => server.stop());
  const ask = (path, options) => fetch(`${server.entryUrl}${path}`, { redirect: 'manual', ...options });
  const answered = async (path, options) => {
    const answer = await ask(path, options);
    await answer.text();
    return [answer.status, answer.headers.get('location') ?? answer.headers.get('allow')];
  };

  test('the page is at the path, and what it loads below', async () => {
    const page = await ask('/admin-ui/');
    assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
    const html = await page.text();
    assert.match(html, /Socket\.IO Admin UI/);
    const [, script] = /src="?(\/?js\/app[^"> ]*)/.exec(html);
    assert.ok(!script.startsWith('/'), script);
    const loaded = await ask(`/admin-ui/${script}`);
    assert.match(loaded.headers.get('content-type'), /javascript/);
    assert.equal((await loaded.text()).length > 1_000, true);
    const again = { headers: { 'if-none-match': loaded.headers.get('etag') } };
    assert.deepEqual(await answered(`/admin-ui/${script}`, again), [304, null]);
    assert.deepEqual(await answered('/admin-ui/', { method: 'HEAD' }), [200, null]);
  });

  test('other addresses of it lead there', async () => {
    assert.deepEqual(await answered('/admin-ui'), [308, '/admin-ui/']);
    assert.deepEqual(await answered('/admin-ui/index.html'), [307, '/admin-ui/']);
  });

  test('nothing else is served', async () => {
    assert.deepEqual(await answered('/admin-ui/nothing'), [404, null]);
    assert.deepEqual(await answered('/admin-ui/', { method: 'POST' }), [405, 'GET, HEAD']);
    assert.deepEqual(await answered('/admin-ui2/'), [404, null]);
    assert.equal(await (await ask('/plain')).text(), 'plain');
  });
});

test('where the assets are others, the answer says what they should be', workerOnly, async (t) => {
  const server = await startServer({ assets: path.join(root, 'www') });
  t.after(() => server.stop());
  const answer = await fetch(`${server.entryUrl}/admin-ui/`);
  assert.equal(answer.status, 404);
  const message = await answer.text();
  assert.match(message, /`\/dist\/index\.html` is not among the assets.*node_modules\/@socket\.io\/admin-ui\/ui/);
  await server.logs.waitFor({ event: 'misconfigured', message });
});

test('where there is no such binding, the Worker does not start', workerOnly, async () => {
  await assert.rejects(
    startServer({ variables: { ADMIN_UI: 'yes' } }),
    /admin.*ui finds no assets in the binding `ASSETS`.*binding = "ASSETS"/,
  );
});
