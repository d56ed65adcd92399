// examples/recipes/src/crowd.rs: a server in many objects.

import { crowd } from './crowd.mjs';

crowd();
