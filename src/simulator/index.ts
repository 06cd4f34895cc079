/** The simulator: plans on machines that are not at hand. */
export { type CalibrationRow, calibrationRows } from "./calibration.ts";
export {
  type KernelSetting,
  kernelSeconds,
  type LaunchShape,
  launchShape,
  loadKernelSetting,
  type WordSize,
  wordSizes,
} from "./kernel-seconds.ts";
export { machineOf } from "./machine.ts";
export { type MemoryMoment, type MemoryTimeline, memoryTimelines } from "./memory-timeline.ts";
export { type PaperStyle, paperStyleMemory } from "./paper-style.ts";
export {
  type GpuProfile,
  loadProfile,
  type MeasuredProfile,
  type Profile,
  parseProfile,
  profileNames,
} from "./profile.ts";
export { forecastMargin, type Option, type Recommendation, recommend, type Wish } from "./recommend.ts";
export { type Event, type SimulatedDevice, type Simulation, simulate } from "./simulate.ts";
export { type Breakdown, type Comparison, memoryPeak, type Played, Study, type StudySetting } from "./study.ts";
export { type Path, type PortLink, slowestPath, type Topology, topologyOf } from "./topology.ts";
