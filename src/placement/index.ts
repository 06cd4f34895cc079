/** Placement: from a program to a plan for several devices. */
export { type ExpandOptions, expand } from "./expand.ts";
export { describeMode, type Explanation, explain } from "./explain.ts";
export {
  type DeviceMemory,
  fragmentation,
  leastMemory,
  planMemory,
  releasesTransforms,
  type StepMemory,
} from "./memory.ts";
export { maximumPlanBytes, parsePlan, printPlan } from "./parse.ts";
export * from "./plan.ts";
export * from "./planner.ts";
export { Samples } from "./samples.ts";
export { modesFor, Search, type SearchOptions } from "./search.ts";
export { type Machine, planSetting, planSettingOn, threadLink, threadMachine } from "./setting.ts";
export { Sharing } from "./sharing.ts";
export { lowestInput, singlePlan } from "./single.ts";
export { ciphertextBytes, headerWords, type RingSizes, sumBytes } from "./sizes.ts";
export * from "./strategies.ts";
export { type Link, type PlanCosts, playPlan, type Timeline } from "./timeline.ts";
export { inputNumbers, isUsed, type Some, type Uses, usesOf } from "./uses.ts";
export { verifyPlan } from "./verify.ts";
