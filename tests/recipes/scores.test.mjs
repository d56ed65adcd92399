// examples/recipes/src/scores.rs: a table of scores in D1.

import { awakeAndAsleep, bindings, migrate } from '../harness/recipes.mjs';
import { scores } from './scores.mjs';

scores({ worker: bindings }, awakeAndAsleep, migrate('SCORES', 'examples/recipes/migrations'));
