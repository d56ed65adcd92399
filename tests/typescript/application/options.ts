import { Server } from "dormouse-io";
import { creating } from "./creating.js";

const io = new Server();

export class Dormouse extends io.DurableObject {}

export default creating(Server);
