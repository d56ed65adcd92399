// A chat's back end in Node, with Hono: `npm install hono @hono/node-server standardwebhooks`,
// then `WEBHOOK_SECRET=whsec_… PORT=3000 node node.mjs`.

import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { Webhook } from 'standardwebhooks';

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const app = new Hono();

app.post('/', async (c) => {
  const body = await c.req.text();
  let call;
  try {
    call = webhook.verify(body, c.req.header());
  } catch {
    return c.json({ message: 'not signed by the gateway' }, 401);
  }
  return handlers[call.type](call, c);
});

const handlers = {
  /** Who may come in, what is known of them, and where they are. */
  connect({ auth, socket }, c) {
    if (!auth.name) return c.json({ message: 'who are you?', data: { missing: 'name' } }, 403);
    const arrived = { event: 'arrived', args: [auth.name], rooms: ['lobby'], except: [socket.id] };
    return c.json({ data: { name: auth.name }, rooms: ['lobby'], actions: [{ emit: arrived }] });
  },

  event({ event, args, attachments, socket }, c) {
    const { name } = socket.data;
    switch (event) {
      case 'say':
        return c.json({
          ack: 'said',
          actions: [{ emit: { event: 'said', args: [name, ...args], attachments, rooms: ['lobby'] } }],
        });
      case 'rename':
        return c.json({ ack: `${name} is ${args[0]}`, data: { ...socket.data, name: args[0] } });
      case 'move':
        return c.json({
          actions: [{ leave: { leave: ['lobby'] } }, { join: { join: args } }, { emit: { event: 'moved', args } }],
        });
      case 'leave':
        return c.json({ actions: [{ emit: { event: 'bye' } }, { disconnect: {} }] });
      default:
        return c.json({ message: `what is ${event}?` }, 404);
    }
  },

  disconnect({ reason, socket }, c) {
    const left = { event: 'left', args: [socket.data?.name, reason], rooms: ['lobby'] };
    return c.json({ actions: [{ emit: left }] });
  },

  expired: (call, c) => c.body(null, 204),
};

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) });
server.on('listening', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
