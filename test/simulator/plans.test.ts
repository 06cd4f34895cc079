/** Simulated plans beside the planner's timeline, and what contention changes. */
import { beforeAll, describe, expect, test } from "vitest";
import { builtinConfig } from "../../src/model/index.ts";
import { makePlan, type PlanSetting, planBytes, planSettingOn, type StrategyName } from "../../src/placement/index.ts";
import type { Program } from "../../src/program/index.ts";
import { traceOf } from "../../src/report/index.ts";
import { digestOf } from "../../src/runtime/index.ts";
import {
  loadKernelSetting,
  loadProfile,
  machineOf,
  memoryTimelines,
  type Profile,
  type Simulation,
  simulate,
  type Topology,
  topologyOf,
} from "../../src/simulator/index.ts";
import { compile, referenceTimes, typicalCalibration } from "../../src/transformer/index.ts";
import { bootParameters } from "../support/transformer.ts";

const parameters = bootParameters(12);
let program: Program;
let profile: Profile;
const settings = new Map<number, PlanSetting>();

beforeAll(async () => {
  const config = builtinConfig("bert-tiny", 512);
  ({ program } = compile(config, typicalCalibration(config), parameters, { length: 512, times: referenceTimes }));
  profile = await loadProfile("a100-40");
  const kernels = await loadKernelSetting();
  for (const devices of [1, 2, 4])
    settings.set(
      devices,
      planSettingOn(program, parameters, digestOf(program), machineOf(profile, kernels, parameters, devices)),
    );
});

function played(strategy: StrategyName, devices: number, overlap = true, topology?: Topology) {
  const setting = settings.get(devices) as PlanSetting;
  const planned = makePlan(program, setting, { devices, strategy, overlap });
  const simulation = simulate(program, planned.plan, setting.costs, topology ?? topologyOf(profile, devices));
  return { ...planned, simulation };
}

/** Bytes of all transfers. */
function sent({ events }: Simulation): number {
  return events.reduce((sum, { flows }) => sum + flows.reduce((bytes, flow) => bytes + flow.bytes, 0), 0);
}

describe.each(["aegis", "megatron", "tensor", "data"] as const)("%s", (strategy) => {
  test.each([true, false])("two devices, overlap %s: as the planner expected it", (overlap) => {
    const { simulation, timeline } = played(strategy, 2, overlap);
    expect(simulation.seconds).toBeCloseTo(timeline.seconds, 9);
    for (const [device, { compute }] of simulation.devices.entries())
      expect(compute).toBeCloseTo(timeline.devices[device]?.compute as number, 9);
  });

  test("four devices: every byte of the plan travels, and nothing is faster than its work", () => {
    const { simulation, plan, timeline } = played(strategy, 4);
    expect(sent(simulation)).toBe(planBytes(program, plan).total);
    for (const { compute, exposed, end } of simulation.devices) {
      expect(compute + exposed).toBeCloseTo(end, 9);
      expect(simulation.seconds).toBeGreaterThanOrEqual(compute);
    }
    expect(simulation.seconds).toBeGreaterThan(0.9 * timeline.seconds);
  });
});

test("one device computes, and that is all", () => {
  const { simulation, timeline } = played("aegis", 1);
  expect(simulation.seconds).toBeCloseTo(timeline.seconds, 9);
  expect(simulation.devices[0]?.exposed).toBeCloseTo(0, 9);
});

test("a device does one thing at a time on each of its streams", () => {
  const { events } = played("megatron", 4).simulation;
  for (const stream of ["compute", "send"] as const) {
    for (const device of [0, 1, 2, 3]) {
      let free = 0;
      for (const { begin, end } of events.filter((one) => one.stream === stream && one.devices.includes(device))) {
        expect(begin).toBeGreaterThanOrEqual(free - 1e-12);
        free = end;
      }
    }
  }
});

test("cut ciphertexts wait for their collectives", () => {
  const { simulation, timeline } = played("limb", 2);
  expect(simulation.seconds).toBeCloseTo(timeline.seconds, 6);
  expect(simulation.devices[0]?.exposed).toBeGreaterThan(0);
});

describe.each(["aegis", "megatron", "tensor"] as const)("memory under %s", (strategy) => {
  test.each([1, 2, 4])("%i devices: as full as the plan says, and empty but for the result in the end", (devices) => {
    const { simulation, plan, memory } = played(strategy, devices);
    const timelines = memoryTimelines(program, plan, parameters, settings.get(devices) as PlanSetting, simulation);
    expect(timelines).toHaveLength(devices);
    for (const [device, { moments, peak, transforms, keys }] of timelines.entries()) {
      const planned = memory[device] as (typeof memory)[number];
      const simulated = peak.ciphertexts + peak.sums + peak.workspace + transforms;
      // What is sent arrives when it does, not where the plan names it.
      const slack = devices === 1 ? 1e-9 : 0.15;
      expect(simulated / (planned.activations + planned.workspace)).toBeGreaterThan(1 - slack);
      expect(simulated / (planned.activations + planned.workspace)).toBeLessThan(1 + slack);
      expect(keys).toBe(planned.keys);
      for (const { ciphertexts, sums, workspace } of moments) {
        expect(ciphertexts).toBeGreaterThanOrEqual(0);
        expect(sums).toBeGreaterThanOrEqual(0);
        expect(workspace).toBeGreaterThanOrEqual(0);
      }
      const last = moments.at(-1) as (typeof moments)[number];
      expect(last.sums).toBe(0);
      expect(last.workspace).toBe(0);
      expect(last.ciphertexts).toBeLessThan(peak.ciphertexts / 4);
    }
  });
});

test("a trace shows what every stream does, one thing after another, and what it waits for", () => {
  const { simulation } = played("megatron", 4);
  const { traceEvents } = traceOf(program, simulation);
  const names = traceEvents.flatMap((event) => (event.ph === "M" ? [event.args.name] : []));
  expect(names.filter((name) => name.startsWith("device"))).toEqual(["device 0", "device 1", "device 2", "device 3"]);
  const slices = traceEvents.flatMap((event) => (event.ph === "X" ? [event] : []));
  for (const pid of [0, 1, 2, 3]) {
    for (const tid of [0, 1]) {
      let free = 0;
      for (const { ts, dur } of slices.filter((slice) => slice.pid === pid && slice.tid === tid)) {
        expect(ts).toBeGreaterThanOrEqual(free - 1e-6);
        free = ts + dur;
      }
    }
    const seconds = (cat: string): number =>
      slices.reduce((sum, slice) => sum + (slice.pid === pid && slice.cat === cat ? slice.dur / 1e6 : 0), 0);
    const { compute, exposed } = simulation.devices[pid] as (typeof simulation.devices)[number];
    expect(seconds("compute")).toBeCloseTo(compute, 9);
    expect(seconds("wait") + seconds("collective")).toBeCloseTo(exposed, 6);
  }
  const bytes = slices.reduce((sum, { args }) => sum + Number(args?.bytes ?? 0), 0);
  expect(bytes).toBe(sent(simulation));
});

test("one wire that all share is slower than a port for each", () => {
  // Slow enough for bytes to count beside latency on this small ring.
  const bytesPerSecond = 1e9;
  const { devices, links, path } = topologyOf(profile, 4);
  const ports: Topology = { devices, links: links.map(({ name }) => ({ name, bytesPerSecond })), path };
  const wire: Topology = {
    devices,
    links: [{ name: "wire", bytesPerSecond }],
    path: (from, to) => ({ ...path(from, to), links: from === to ? [] : [0] }),
  };
  const apart = played("tensor", 4, false, ports).simulation;
  const shared = played("tensor", 4, false, wire).simulation;
  const waits = ({ devices }: Simulation): number => Math.max(...devices.map(({ exposed }) => exposed));
  expect(waits(shared)).toBeGreaterThan(2 * waits(apart));
  expect(sent(shared)).toBe(sent(apart));
});
