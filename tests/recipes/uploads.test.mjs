// examples/recipes/src/uploads.rs: files in chunks, which end in R2.

import { bindings } from '../harness/recipes.mjs';
import { uploads } from './uploads.mjs';

uploads({ worker: bindings });
