/** The program: a graph of operations over ciphertext tensors. */
export * from "./couplings.ts";
export * from "./layout.ts";
export * from "./pairs.ts";
export { maximumProgramBytes, parseProgram } from "./parse.ts";
export * from "./part.ts";
export * from "./print.ts";
export * from "./program.ts";
export { shapeOf, workOf } from "./shape.ts";
export * from "./verify.ts";
