/** The party with the model. */
export { Server } from "./server.ts";
