// The chat with React.

import { StrictMode, type SubmitEvent, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { type Chat, NOTHING, type Room as Entered, enter } from "./chat";

/** Is in a room as long as the component is there, and its name and room are the same. */
function useChat(name: string, room: string): Chat & Pick<Entered, "say"> {
  const [chat, setChat] = useState(NOTHING);
  const entered = useRef<Entered>(null);

  // In an effect, since a component may be rendered and never be there. In development,
  // strict mode runs it twice: the first connection has to end, and does.
  useEffect(() => {
    const it = enter(name, room, setChat);
    entered.current = it;
    return () => {
      it.leave();
      setChat(NOTHING);
    };
  }, [name, room]);

  return { ...chat, say: async (text) => (await entered.current?.say(text)) ?? false };
}

function Room({ name, room }: { name: string; room: string }) {
  const { messages, isHere, problem, say } = useChat(name, room);
  const [text, setText] = useState("");

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    if (await say(text)) setText("");
  }

  return (
    <section>
      <p id="state">{problem ?? (isHere ? "here" : "connecting")}</p>
      <ol>
        {messages.map(({ id, name, text }) => (
          <li key={id}>
            {name}: {text}
          </li>
        ))}
      </ol>
      <form onSubmit={submit}>
        <input value={text} onChange={(event) => setText(event.target.value)} aria-label="Message" />
        <button disabled={!isHere}>Say</button>
      </form>
    </section>
  );
}

function App({ name }: { name: string }) {
  const [room, setRoom] = useState("lobby");
  return (
    <>
      {["lobby", "kitchen", ""].map((it) => (
        <button key={it} onClick={() => setRoom(it)}>
          {it || "nowhere"}
        </button>
      ))}
      {room && <Room name={name} room={room} />}
    </>
  );
}

const name = new URLSearchParams(location.search).get("name") ?? "somebody";
createRoot(document.querySelector("#app")!).render(
  <StrictMode>
    <App name={name} />
  </StrictMode>,
);
