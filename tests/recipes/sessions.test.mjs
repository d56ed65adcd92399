// examples/recipes/src/sessions.rs: sessions of a web site, in KV.

import { bindings } from '../harness/recipes.mjs';
import { sessions } from './sessions.mjs';

sessions({ worker: bindings });
