// One server for one test file: `const server = await startServer();` and
// `after(() => server.stop())`. Both targets have the same face:
//
//   url, wsUrl        where clients connect (the Worker itself, no proxy before it)
//   logs              the structured log (see runtime/logs.mjs)
//   sleep(sid)        puts the session's object to sleep, its WebSockets hibernating;
//                     false where it slept already and nothing had woken it
//   cut(sid)          the same, but its WebSockets are closed, as a deploy does
//   settled()         when polling sessions are certainly saved
//   stop()            ends every process that was started

import { target } from './target.mjs';

export async function startServer(options = {}) {
  const { start } =
    target === 'reference' ? await import('./reference/server.mjs') : await import('./runtime/miniflare.mjs');
  return start(options);
}
