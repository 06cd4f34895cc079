/** Placement: from a program to a plan for several devices. */
export { type ExpandOptions, expand } from "./expand.ts";
export * from "./plan.ts";
export { ciphertextBytes, type RingSizes, sumBytes } from "./sizes.ts";
export * from "./strategies.ts";
