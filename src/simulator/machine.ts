/** A profile as the planner sees it: seconds of kernels, and the slowest way between any two devices. */
import type { Parameters } from "../ckks/index.ts";
import { type Machine, threadMachine } from "../placement/index.ts";
import { type KernelSetting, kernelSeconds, launchShape } from "./kernel-seconds.ts";
import type { Profile } from "./profile.ts";
import { slowestPath, topologyOf } from "./topology.ts";

/** So many devices of a profile. */
export function machineOf(profile: Profile, setting: KernelSetting, parameters: Parameters, devices: number): Machine {
  const shape = launchShape(parameters);
  const times = kernelSeconds(profile, setting, shape);
  if (profile.kind === "measured") {
    const { copies, barrier } = profile;
    const linkOf = ({ bandwidth, latency }: typeof copies) => ({
      bytesPerSecond: bandwidth.value,
      latencySeconds: latency.value,
    });
    return { ...threadMachine(times), link: linkOf(copies), barrier: linkOf(barrier) };
  }
  const link = slowestPath(topologyOf(profile, devices));
  return {
    times,
    link,
    barrier: link,
    // A launch takes fewer limbs of each polynomial.
    cutTimes: (ranks) => kernelSeconds(profile, setting, { ...shape, limbs: shape.limbs / ranks }),
    callSeconds: 0,
  };
}
