// The stock client, for tests that run inside of the Worker's runtime: it connects to the
// Worker under test, without a network.

import { exports } from "cloudflare:workers";
import { WebSocket as Transport } from "engine.io-client";
import { io, type Socket } from "socket.io-client";

/** Connects to the Worker under test. */
export function connect(options: object = {}, namespace = "/"): Socket {
  return io(`http://worker${namespace}`, { forceNew: true, transports: [Inside as never], ...options });
}

class Inside extends Transport {
  createSocket(uri: string): object {
    return new InsideSocket(uri);
  }
}

/** As much of a browser's WebSocket as the client uses. */
class InsideSocket {
  onopen = (): void => {};
  onmessage = (_event: unknown): void => {};
  onclose = (_event: unknown): void => {};
  onerror = (_error: unknown): void => {};
  #webSocket: WebSocket | undefined;

  constructor(uri: string) {
    this.#open(uri).catch((error: unknown) => this.onerror(error));
  }

  async #open(uri: string): Promise<void> {
    const worker = (exports as unknown as { default: Fetcher }).default;
    const answer = await worker.fetch(uri.replace(/^ws/, "http"), { headers: { upgrade: "websocket" } });
    const { webSocket } = answer;
    if (!webSocket) throw new Error(await answer.text());
    webSocket.binaryType = "arraybuffer";
    webSocket.accept();
    webSocket.addEventListener("message", (event) => this.onmessage(event));
    webSocket.addEventListener("close", (event) => this.onclose(event));
    this.#webSocket = webSocket;
    this.onopen();
  }

  send(data: string | ArrayBuffer): void {
    this.#webSocket?.send(data);
  }

  close(): void {
    this.#webSocket?.close();
  }
}
