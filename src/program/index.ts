/** The program: a graph of operations over ciphertext tensors. */
export * from "./layout.ts";
export * from "./print.ts";
export * from "./program.ts";
export * from "./verify.ts";
