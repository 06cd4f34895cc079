/** What a planner needs to know of a program: costs by units, samples, all on null backends. */
import { Bootstrapper } from "../circuits/index.ts";
import { Context, type Parameters } from "../ckks/index.ts";
import { NullBackend, type ShardingName } from "../kernels/index.ts";
import { type Operation, type Part, type Program, slotsOf } from "../program/index.ts";
import { type KernelTimes, OperationCosts } from "../transformer/index.ts";
import { CutCosts } from "./cut.ts";
import type { PlanSetting } from "./planner.ts";
import { Samples } from "./samples.ts";
import { lowestInput } from "./single.ts";
import type { Link } from "./timeline.ts";

/** Copies between threads of one host, measured; both ends copy. */
export const threadLink: Link = { bytesPerSecond: 4e9, latencySeconds: 50e-6 };

/**
 * @param digest SHA-256 of the program
 * @param times seconds of kernel work on a device
 */
export function planSetting(
  program: Program,
  parameters: Parameters,
  digest: string,
  times: KernelTimes,
  link: Link = threadLink,
): PlanSetting {
  const backend = new NullBackend();
  const context = new Context(parameters, backend);
  const bootstraps = program.operations.some(({ kind }) => kind === "bootstrap");
  const slots = slotsOf(program.geometry);
  const bootstrapper = bootstraps ? new Bootstrapper(context, slots) : undefined;
  const units = new OperationCosts(context, backend, program, bootstrapper);
  const known = new Map<string, CutCosts>();
  const cut = (sharding: ShardingName, devices: number): CutCosts => {
    const key = `${sharding} ${devices}`;
    const costs = known.get(key) ?? new CutCosts({ program, parameters, times, link, bootstrapper }, sharding, devices);
    known.set(key, costs);
    return costs;
  };
  return {
    parameters,
    samples: new Samples(program, parameters, (on) => new Bootstrapper(on, slots, bootstrapper)),
    bootstrapInput: lowestInput(parameters),
    digest,
    cut,
    costs: {
      link,
      cut: ({ operation, sharding, part }, devices) =>
        cut(sharding, devices).of(program.operations[operation] as Operation, part),
      compute: (operation: number, phase, part: Part) =>
        units.seconds(program.operations[operation] as Operation, phase, part, times),
    },
  };
}
