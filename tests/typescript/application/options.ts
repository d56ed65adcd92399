// Creates servers with the options of requests, and says what is wrong with them.

import { Server } from "dormouse-io";

const io = new Server();

export class Dormouse extends io.DurableObject {}

export default {
  async fetch(request: Request): Promise<Response> {
    const { options, namespace } = (await request.json()) as { options: object; namespace?: string };
    try {
      const server = new Server({ path: "/other/", ...options });
      if (namespace !== undefined) server.of(namespace);
      return new Response("");
    } catch (error) {
      return new Response((error as Error).message);
    }
  },
};
