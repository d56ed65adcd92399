// Servers to copy from, one idea each, all in one Worker. A file needs nothing of the
// others: copied into a project as src/index.ts, it lacks the class and the handlers below.

import "./messages";
import { presence } from "./presence";
import { disconnectExpired } from "./tokens";

// One class and one `fetch` are for all servers, whichever of them they are taken from.
export class Dormouse extends presence.DurableObject {}

export default {
  fetch: presence.fetch,
  scheduled: disconnectExpired,
};
