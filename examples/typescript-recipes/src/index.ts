// Servers to copy from, one idea each, all in one Worker but crowd.ts, which is one by itself.
// A file needs nothing of the others: copied into a project as src/index.ts, it lacks the class
// and the handlers below.

import "./chat";
import "./limits";
import "./messages";
import { tell, tellTime } from "./notices";
import { presence } from "./presence";
import "./scores";
import { logIn, logOut } from "./sessions";
import { disconnectExpired } from "./tokens";
import "./uploads";

// One class and one `fetch` are for all servers, whichever of them they are taken from.
export class Dormouse extends presence.DurableObject {}

export default {
  fetch(request, env, context): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method === "POST" && pathname === "/log-in") return logIn(request);
    if (request.method === "POST" && pathname === "/log-out") return logOut(request);
    return presence.fetch(request, env, context);
  },
  queue: tell,
  scheduled(controller): Promise<void> {
    return controller.cron === "0 * * * *" ? tellTime(controller) : disconnectExpired();
  },
} satisfies ExportedHandler;
