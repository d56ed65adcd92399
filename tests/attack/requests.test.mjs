// What is hidden in requests and packets: other origins, paths of the object's own,
// prototypes, lines for the log, and values that look like something else.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { decodeData, decodeText } from '../harness/socket/packet.mjs';
import { sendBytes } from '../harness/wire/http.mjs';
import { attacks } from './field.mjs';

const attack = attacks();
const POLLING = { EIO: 4, transport: 'polling' };
/** No more than the others ask at the end. */
const NOTHING = { woken: 2 };

describe('a page of another origin', { concurrency: 1 }, () => {
  for (const site of ['cross-site', 'same-site']) {
    attack(
      `loads JSONP by a script, without \`Origin\`, ${site}: 400, and no session`,
      { may: NOTHING },
      async (field) => {
        const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' };
        const answer = await field.request({ query: { ...POLLING, j: 0 }, headers });
        assert.equal(answer.status, 400);
      },
    );
  }

  const origins = [
    'null',
    'http://good.example.evil.example',
    'http://evil.example#http://good.example',
    'http://good.example@evil.example',
    'http://good.example:8080',
    'https://good.example',
    'http://sub.good.example',
    'http://good.example http://evil.example',
    'good.example',
    'http://GOOD.example.',
    'file://',
  ];
  attack(
    'says that it is nearly an allowed one: 400, and no header for it',
    { path: '/strict/', othersAt: '/io/', may: NOTHING },
    async (field) => {
      for (const origin of origins) {
        const { status, headers } = await field.request({ query: POLLING, headers: { origin } });
        assert.equal(status, 400, origin);
        assert.equal(headers['access-control-allow-origin'], undefined, origin);
        assert.equal(headers['access-control-allow-credentials'], undefined, origin);
      }
    },
  );

  attack(
    'asks with OPTIONS first: no header for it',
    { path: '/strict/', othersAt: '/io/', may: NOTHING },
    async (field) => {
      const asks = { origin: 'http://evil.example', 'access-control-request-method': 'POST' };
      const { headers } = await field.request({ method: 'OPTIONS', query: POLLING, headers: asks });
      assert.equal(headers['access-control-allow-origin'], undefined);
    },
  );
});

describe('answers', { concurrency: 1 }, () => {
  attack('are not taken for another type than they say', {}, async (field) => {
    for (const query of [POLLING, { ...POLLING, j: 0 }, { EIO: 4, transport: 'none' }]) {
      const { headers } = await field.request({ query, headers: { 'sec-fetch-site': 'same-origin' } });
      assert.equal(headers['x-content-type-options'], 'nosniff', JSON.stringify(query));
    }
  });

  attack('of JSONP have nothing of the index but its digits', { path: '/noupgrade/' }, async (field) => {
    for (const j of ['0;alert(1)//', '<script>', '1\r\nset-cookie: a=b', '\u2028', '-1', '1e9']) {
      const { text, headers } = await field.request({ query: { ...POLLING, j } });
      assert.match(text, /^___eio\[\d*\]\("/, j);
      assert.equal(headers['set-cookie'], undefined);
    }
  });

  const said = '\u2028</script><!--"\\\r\n';
  attack('of JSONP keep what a client said within their text', { path: '/noupgrade/' }, async (field) => {
    const session = await field.polling();
    await session.send(`4${said}`);
    const { text } = await session.get({ query: { j: 0 } });
    assert.match(text, /^___eio\[0\]\("[^\u2028\r\n]*"\);$/);
    assert.equal(JSON.parse(text.slice('___eio[0]('.length, -2)), `4${said}`);
  });

  attack('have no header that a client wrote', {}, async (field) => {
    const evil = 'x\r\nset-cookie: sid=evil';
    for (const name of ['sid', 't', 'j', 'transport', 'EIO']) {
      const { headers } = await field.request({ query: { ...POLLING, [name]: evil } });
      assert.equal(headers['set-cookie'], undefined, name);
    }
  });
});

describe('paths that could be commands', { concurrency: 1 }, () => {
  const commands = ['/!call', '/!wake', '/io/!call', '/io/..%2f!call', '/io/%2e%2e/!call', '//!call', '/%21call', '/io/;/!wake', '/dormouseCall', '/io/dormouseCall'];
  attack('lead nowhere', { may: NOTHING }, async (field) => {
    const { sid } = await field.polling();
    await field.begin();
    for (const command of commands) {
      for (const method of ['GET', 'POST']) {
        const url = `${command}?${new URLSearchParams({ ...POLLING, sid })}`;
        const { status } = await field.request({ url, method, body: method === 'POST' ? 'call' : undefined });
        assert.ok(status === 404 || status === 400, `${method} ${command}: ${status}`);
      }
    }
  });

  attack('nor by bytes that are not quite HTTP', {}, async (field) => {
    // None has a `Host` that is no host: on the platform it would not find the Worker.
    const requests = [
      'GET /!call HTTP/1.0\r\n\r\n',
      'GET http://object/!call HTTP/1.1\r\nhost: object\r\nconnection: close\r\n\r\n',
      'POST /io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n',
      `GET /io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\nx: ${'\u0080'.repeat(100)}\r\nconnection: close\r\n\r\n`,
    ];
    for (const request of requests) {
      const answer = await sendBytes(field.server, Buffer.from(request, 'latin1'));
      assert.doesNotMatch(answer, /^HTTP\/1\.\d 5/, request);
    }
  });
});

describe('names of prototypes', { concurrency: 1 }, () => {
  const evil = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}';
  attack('are data in events, as what they are', {}, async (field) => {
    const { client } = await field.member({ namespace: '/dynamic-1' });
    client.peer.send(`42/dynamic-1,1["message-with-ack",${evil}]`);
    assert.equal(await client.next(), `3/dynamic-1,1[${evil}]`);
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      client.peer.send(`42/dynamic-1,["${name}",1]`);
      assert.equal(await client.next(), `2/dynamic-1,["any","${name}",1]`);
    }
  });

  attack('are data in `auth`, queries and headers', {}, async (field) => {
    const query = { __proto__: null, ['__proto__']: 'q', constructor: 'c' };
    const client = await field.client({ query, headers: { ['__proto__']: 'h', constructor: 'k' } });
    client.peer.send(`40/dynamic-1,${evil}`);
    assert.match(await client.next(), /^0\/dynamic-1,/);
    client.peer.send('42/dynamic-1,2["handshake"]');
    const [told] = decodeData(decodeText(await client.next()).json, []);
    assert.equal(told.query.constructor, 'c');
    assert.equal(told.headers.constructor, 'k');
  });

  attack('are names of rooms and namespaces like others', {}, async (field) => {
    const member = await field.member({ namespace: '/dynamic-__proto__' });
    assert.deepEqual(await member.ask('join', ['__proto__', 'constructor']), [['__proto__', 'constructor']]);
    await member.emit('cast', { from: 'server', to: ['constructor'], except: ['toString'] }, 'news');
    await member.expect('news');
  });
});

describe('lines of the log', { concurrency: 1 }, () => {
  const line = 'x"}\n{"level":"error","event":"forged"}\r\n\u001b[31m';
  attack('are not written by clients', {}, async (field) => {
    await field.request({ query: POLLING, headers: { origin: 'http://e.example/","event":"forged' } });
    const client = await field.client({ query: { line }, headers: { 'user-agent': 'x","event":"forged' } });
    await client.join('/dynamic-1', { name: line });
    client.peer.send(`40/${line.replaceAll(',', ';')},`);
    client.peer.send(`42/dynamic-1,${JSON.stringify(['typed', line])}`);
    client.peer.send(`42/dynamic-1,${JSON.stringify([line, 1])}`);
    await client.next();
    client.peer.send('49');
    await field.server.logs.waitFor({ event: 'disconnect', sid: client.sid });
    assert.deepEqual(field.server.logs.find({ event: 'forged' }), []);
  });
});

describe('values that look like something else', { concurrency: 1 }, () => {
  for (const num of [0, 1, 1e9]) {
    attack(
      `a placeholder for attachment ${num}, passed on beside bytes: no client takes it for one`,
      {},
      async (field) => {
        const { client } = await field.member({ namespace: '/dynamic-1' });
        const value = JSON.stringify({ _placeholder: true, num });
        client.peer.send(`42/dynamic-1,1["with-bytes",${value}]`);
        const { attachments, json } = decodeText(await client.next());
        // The application has refused to send it, or it is one of so many no more.
        assert.equal(json.split('"_placeholder":true').length - 1, attachments, json);
      },
    );
  }

  const reserved = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
  for (const event of reserved) {
    attack(
      `\`${event}\` as the name of an event that the server sends: the sender is told`,
      { may: { errors: 1 } },
      async (field) => {
        const victim = await field.member({ namespace: '/dynamic-1' });
        const member = await field.member({ namespace: '/dynamic-1' });
        const [answer] = await member.ask('cast', { from: 'server' }, event);
        assert.ok(answer.error, `no error but ${JSON.stringify(answer)}`);
        await victim.nothing();
      },
    );
  }
});
