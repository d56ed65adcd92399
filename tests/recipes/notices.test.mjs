// examples/recipes/src/notices.rs: notices from a queue and a cron trigger.

import { bindings } from '../harness/recipes.mjs';
import { notices } from './notices.mjs';

notices({ worker: bindings });
