// A Worker that creates servers with the options of requests, and says what is wrong with them.

type AnyServer = new (options: object) => { of(name: string): unknown };

export const creating = (Server: AnyServer) => ({
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
});
