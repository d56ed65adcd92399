// Files in chunks. A chunk is an object of its own in R2 until all are there, and its
// acknowledgement is the progress; after a lost connection the client goes on from there.
//
// What nobody goes on with is deleted by a rule of the bucket:
// npx wrangler r2 bucket lifecycle add files abandoned uploads/ --expire-days 1

import { env } from "cloudflare:workers";
import { Server } from "dormouse-io";

declare global {
  namespace Cloudflare {
    interface Env {
      FILES: R2Bucket;
    }
  }
}

/** How much of a file is there, in bytes; or why nothing is. */
type Progress = number | { error: string };

interface ClientToServer {
  upload: (id: string, name: string, size: number, done: (there: Progress) => void) => void;
  chunk: (id: string, offset: number, bytes: Uint8Array, done: (there: Progress) => void) => void;
}

interface ServerToClient {
  progress: (name: string, there: number, size: number) => void;
}

/** What the client says of a file. */
interface Upload {
  name: string;
  size: number;
}

// Check who it is: see tokens.ts.
export const uploads = new Server<ClientToServer, ServerToClient>({ path: "/uploads/" });

/** Bytes of a chunk, but for the last one, and of a file: it is in memory as a whole when it is stored. */
const CHUNK = 256 * 1024;
const LARGEST = 8 * 1024 * 1024;

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

// Begins an upload, or goes on with one: the acknowledgement is how much of it is there. Its
// id is the client's, at random: whoever knows it may go on.
uploads.handle("upload", async (_socket, id, name, size) => {
  const isName = typeof name === "string" && name !== "" && new TextEncoder().encode(name).length <= 200;
  if (!isId(id) || !isName || !Number.isSafeInteger(size) || size < 1 || size > LARGEST) {
    return { error: `id: a UUID; name: 1 to 200 bytes; size: 1 to ${LARGEST}` };
  }
  const begun = await find(id);
  if (!begun) await env.FILES.put(record(id), JSON.stringify({ name, size } satisfies Upload));
  return begun?.there ?? 0;
});

// Takes what follows. The acknowledgement is how much is there now: if that was another
// chunk, the client goes on from there.
uploads.handle("chunk", async (socket, id, offset, bytes) => {
  const upload = isId(id) && (await find(id));
  if (!upload) return { error: "there is no such upload" };
  const { name, size, there, chunks } = upload;
  if (offset !== there) return there;
  if (!(bytes instanceof Uint8Array) || bytes.length !== Math.min(CHUNK, size - there)) {
    return { error: `a chunk has ${CHUNK} bytes, and the last one what is left` };
  }
  const end = there + bytes.length;
  if (end > there) {
    // Keys are listed in the order of their characters.
    const key = `${record(id)}/${String(there).padStart(8, "0")}`;
    await env.FILES.put(key, bytes);
    chunks.push(key);
  }
  // Should it fail, an empty chunk at the end tries again.
  if (end === size) await store(id, name, chunks);
  socket.broadcast.emit("progress", name, end, size);
  return end;
});

async function store(id: string, name: string, chunks: string[]): Promise<void> {
  const parts = chunks.map(async (key) => {
    const chunk = await env.FILES.get(key);
    if (!chunk) throw new Error(`${key} is not there any more`);
    return chunk.arrayBuffer();
  });
  await env.FILES.put(`${id}/${name}`, new Blob(await Promise.all(parts)));
  await env.FILES.delete([...chunks, record(id)]);
}

/** Returns an upload, with the keys of its chunks in order. They say how much is there, whichever socket sent them. */
async function find(id: string): Promise<(Upload & { there: number; chunks: string[] }) | undefined> {
  const [begun, { objects }] = await Promise.all([
    env.FILES.get(record(id)),
    env.FILES.list({ prefix: `${record(id)}/` }),
  ]);
  if (!begun) return undefined;
  const there = objects.reduce((sum, { size }) => sum + size, 0);
  return { ...(await begun.json<Upload>()), there, chunks: objects.map(({ key }) => key) };
}

/** The object that says what is uploaded. Its chunks are below it. */
const record = (id: string) => `uploads/${id}`;

const isId = (id: unknown): id is string => typeof id === "string" && UUID.test(id);
