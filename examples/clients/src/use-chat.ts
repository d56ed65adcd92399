// The chat as a composable of Vue.

import { type MaybeRefOrGetter, type ShallowRef, onWatcherCleanup, shallowRef, toValue, watchEffect } from "vue";
import { type Chat, NOTHING, type Room, enter } from "./chat";

/** Is in a room as long as the component is there, and its name and room are the same. */
export function useChat(
  name: MaybeRefOrGetter<string>,
  room: MaybeRefOrGetter<string>,
): { chat: ShallowRef<Chat>; say: Room["say"] } {
  // Shallow: each change is another object.
  const chat = shallowRef(NOTHING);
  let entered: Room | undefined;

  watchEffect(() => {
    const it = enter(toValue(name), toValue(room), (changed) => (chat.value = changed));
    entered = it;
    onWatcherCleanup(() => {
      it.leave();
      chat.value = NOTHING;
    });
  });

  return { chat, say: async (text) => (await entered?.say(text)) ?? false };
}
