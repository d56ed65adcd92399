// Many objects, from the entry that has none.

import { Server } from "dormouse-io";

const io = new Server({ placement: { objects: 8 } });

export class Dormouse extends io.DurableObject {}

export default { fetch: io.fetch };
