/** The party with the secret key. */
export { Client, type ClientModel, type Decrypted } from "./client.ts";
