// examples/recipes/src/messages.rs: private messages, which wait for whoever is away.

import { messages } from './messages.mjs';

messages();
