/** Graphs of models: operations without levels. */
export type { UnscheduledProgram } from "./builder.ts";
export { buildGraph } from "./classifier.ts";
