// The repository's root, to which the paths of builds and pages are relative.

import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
