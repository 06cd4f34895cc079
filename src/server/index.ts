/** The party with the model. */
export { type DeviceRunOptions, Server } from "./server.ts";
