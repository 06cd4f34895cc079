/** Placement: from a program to a plan for several devices. */
export { type ExpandOptions, expand } from "./expand.ts";
export * from "./plan.ts";
export { type RingSizes, ciphertextBytes, sumBytes } from "./sizes.ts";
export * from "./strategies.ts";
