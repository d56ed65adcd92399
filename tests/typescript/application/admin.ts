// Servers with an admin namespace: with everything, and with every option that leaves something out.

import { Server } from "dormouse-io/spread";

type Ack = (...values: unknown[]) => void;

const io = new Server({ admin: { development: true, ui: "/admin" } });

io.on("connection", (socket) => {
  socket.join("everybody");
  socket.on("say", (text: string, ack: Ack) => ack(text));
});

new Server({
  path: "/read-only/",
  admin: {
    namespace: "/watch",
    username: "root",
    secrets: ["UNSET_PASSWORD", "ROOT_PASSWORD"],
    sessionDuration: 60_000,
    readOnly: true,
  },
});

new Server({ path: "/plain/", admin: true });

export class Dormouse extends io.DurableObject {}

export default { fetch: io.fetch };
