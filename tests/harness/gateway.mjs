// The gateway of examples/gateway, and back ends for it: in this process, or programs.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Webhook } from 'standardwebhooks';
import { endWithParent } from './runtime/parent.mjs';
import { startServer } from './server.mjs';
import { atExit } from '#dormouse-test/at-exit.mjs';
import { Queue, within } from '#dormouse-test/wait.mjs';

const HOST = '127.0.0.1';

export const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
export const oldSecret = `whsec_${Buffer.alloc(24, 2).toString('base64')}`;

/** Starts the gateway, or another build of it, with a back end at this address. */
export function startGateway(url, variables = {}, build = 'examples/gateway/build') {
  const all = { WEBHOOK_URL: url, WEBHOOK_SECRET: secret, ORIGINS: '*', LOG: 'info', ...variables };
  return startServer({ build, variables: all });
}

/**
 * A back end whose handlers a test replaces: each is given a call, and returns the body of
 * the answer, or `{ status, headers, body }` with a `body` that may be anything, or `cut` to
 * break the connection. `calls` are the calls that came, in order.
 */
export class BackEnd {
  calls = new Queue();
  attempts = [];
  handlers = {};
  #server = createServer((request, response) => this.#handle(request, response));

  static async start(handlers = {}) {
    const backEnd = new BackEnd();
    backEnd.handlers = handlers;
    await new Promise((resolve) => backEnd.#server.listen(0, HOST, resolve));
    return backEnd;
  }

  get url() {
    return `http://${HOST}:${this.#server.address().port}/hook`;
  }

  async #handle(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      // The gateway has ended the call.
      return undefined;
    }
    const text = Buffer.concat(chunks).toString();
    const call = JSON.parse(text);
    const { method, url, headers } = request;
    this.attempts.push({ method, url, headers, text, call });
    this.calls.push(call);
    const answer = (await this.handlers[call.type]?.(call, { headers, text })) ?? {};
    if (answer === cut) return request.socket.destroy();
    const whole = 'status' in answer ? answer : { body: answer };
    const { status = 200, headers: more = {}, body = '' } = whole;
    const raw = typeof body === 'string' || Buffer.isBuffer(body);
    response.writeHead(status, { 'content-type': 'application/json', ...more });
    return response.end(raw ? body : JSON.stringify(body));
  }

  /** Whether all calls that came were signed with this secret. */
  isSignedWith(key) {
    const webhook = new Webhook(key);
    return this.attempts.every(({ text, headers }) => {
      try {
        return Boolean(webhook.verify(text, headers));
      } catch {
        return false;
      }
    });
  }

  /** The next call, which must be of this type. */
  async next(type) {
    const call = await this.calls.next(`call of type ${type}`);
    if (call.type !== type) throw new Error(`a call of type ${call.type} and not ${type}`);
    return call;
  }

  /** The next call of this type, whatever came before. */
  async skipTo(type) {
    let call;
    do call = await this.calls.next(`call of type ${type}`);
    while (call.type !== type);
    return call;
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The answer of a back end that breaks the connection. */
export const cut = Symbol('cut');

/** Starts a program that is a back end, and says where it listens. */
export async function startProgram(program, ...args) {
  const env = { ...process.env, WEBHOOK_SECRET: secret, PORT: '0' };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  endWithParent(stop);
  exited.then(atExit(() => child.kill('SIGKILL')));
  const lines = [];
  const listening = new Promise((resolve) => {
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', (line) => {
        const [url] = /http:[^\s)]+/.exec(line) ?? [];
        if (url) resolve(url);
        lines.push(line);
      });
    }
  });
  const over = exited.then(([code]) => {
    throw new Error(`${program} ended with ${code}: ${lines.join('\n')}`);
  });
  over.catch(() => {});
  return { url: await within(Promise.race([listening, over]), program, 60_000), stop };
}
