// A room of the chat in examples/recipes/src/chat.rs, for as long as somebody looks at it.
// It knows no framework: react.tsx and use-chat.ts bring it to theirs.

import { io, type Socket } from "socket.io-client";

export interface Message {
  id: number;
  room: string;
  name: string;
  text: string;
  /** Milliseconds since 1970. */
  at: number;
}

export interface Chat {
  readonly messages: readonly Message[];
  /** Whether something can be said. If not, the client is about to come back by itself. */
  readonly isHere: boolean;
  /** What the server did not like: the name, the room, or what was said. */
  readonly problem?: string;
}

export const NOTHING: Chat = { messages: [], isHere: false };

export interface Room {
  /** Says something. Resolves to whether it was heard; if not, the chat has a problem. */
  say: (text: string) => Promise<boolean>;
  leave: () => void;
}

type Answer<T> = T | { error: string };

interface ServerToClient {
  said: (message: Message) => void;
}

interface ClientToServer {
  enter: (room: string, done: (answer: Answer<Message[]>) => void) => void;
  say: (room: string, text: string, done: (answer: Answer<Message>) => void) => void;
}

/** How long to wait for an acknowledgement, in milliseconds. */
const PATIENCE = 10_000;

/** Enters a room, and calls `show` with each change until `leave` is called. */
export function enter(name: string, room: string, show: (chat: Chat) => void): Room {
  // A connection of its own, which ends with it.
  const socket: Socket<ServerToClient, ClientToServer> = io({ path: "/chat/", auth: { name }, forceNew: true });
  let chat = NOTHING;
  let hasLeft = false;

  function change(changes: Partial<Chat>): void {
    chat = { ...chat, ...changes };
    // An answer may come when another room is shown already.
    if (!hasLeft) show(chat);
  }

  function add(message: Message): void {
    change({ messages: [...chat.messages, message] });
  }

  socket.on("connect", async () => {
    // The server has kept the socket, which is in its room: what was missed comes as events.
    if (socket.recovered) return change({ isHere: true });
    try {
      const answer = await socket.timeout(PATIENCE).emitWithAck("enter", room);
      if ("error" in answer) return change({ problem: answer.error });
      // In place of what is known: there may be a gap behind it.
      change({ messages: answer, isHere: true, problem: undefined });
    } catch {
      // If the connection was not lost again, it is as good as lost: the client makes another.
      if (socket.connected) socket.io.engine.close();
    }
  });
  socket.on("disconnect", () => change({ isHere: false }));
  socket.on("connect_error", ({ message }) => {
    // The server has refused it; all else the client tries again.
    if (!socket.active) change({ problem: message });
  });
  socket.on("said", add);

  return {
    async say(text) {
      // What is sent without a connection would wait, and come before the room is entered.
      if (!chat.isHere) return false;
      try {
        const answer = await socket.timeout(PATIENCE).emitWithAck("say", room, text);
        if ("error" in answer) throw new Error(answer.error);
        change({ problem: undefined });
        add(answer);
        return true;
      } catch (error) {
        change({ problem: (error as Error).message });
        return false;
      }
    },
    leave() {
      hasLeft = true;
      socket.disconnect();
    },
  };
}
