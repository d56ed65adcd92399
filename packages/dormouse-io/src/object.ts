// The class of the Durable Objects. What it holds of wasm is made again when the instance
// has ended; the WebSockets, and what else must not be lost, are the platform's.

import { DurableObject } from "cloudflare:workers";
import type { Dormouse } from "dormouse-wasm";
import { call, instance } from "./wasm.js";

/** A Durable Object that holds sessions. */
export class DormouseObject extends DurableObject {
  #object: Dormouse | undefined;
  #instance: number | undefined;

  /** @internal */
  constructor(context: DurableObjectState, env: unknown) {
    super(context, env as never);
    this.#with(() => {});
  }

  #with<T>(body: (object: Dormouse) => T): T {
    return call((wasm) => {
      if (this.#instance !== instance()) {
        this.#object = new wasm.Dormouse(this.ctx as never, this.env as never);
        this.#instance = instance();
      }
      return body(this.#object as Dormouse);
    });
  }

  /** Handles a request of a client, passed on by `io.fetch`. */
  override async fetch(request: Request): Promise<Response> {
    return this.#with((object) => object.fetch(request)) as Promise<Response>;
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#with((object) => object.webSocketMessage(socket, message));
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#with((object) => object.webSocketClose(socket, code));
  }

  override webSocketError(socket: WebSocket): void {
    this.#with((object) => object.webSocketError(socket));
  }

  override alarm(): void {
    this.#with((object) => object.alarm());
  }

  /** Handles what other parts of the Worker ask. It is no method to call. */
  dormouseCall(path: unknown, request: unknown): unknown {
    return this.#with((object) => object.dormouseCall(path, request));
  }

  /** Takes up what an instance has left that has ended. It is no method to call. */
  dormouseWake(path: unknown): void {
    this.#with((object) => object.dormouseWake(path));
  }
}
