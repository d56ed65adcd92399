// examples/recipes/src/chat.rs: a chat with a history.

import { chat } from './chat.mjs';

chat();
