/** Profiles: every file of the package, and files that are none. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { Parameters, preset } from "../ckks/index.ts";
import { kernelNames } from "../kernels/index.ts";
import { kernelSeconds, launchShape, loadKernelSetting } from "./kernel-seconds.ts";
import { loadProfile, type Profile, parseProfile, profileNames } from "./profile.ts";
import { slowestPath, topologyOf } from "./topology.ts";

const names = await profileNames();
const gpus = (await Promise.all(names.map(loadProfile))).filter(({ kind }) => kind === "gpu");

test("the devices that plans are asked for are there", () => {
  for (const name of ["a100-40", "a100-80", "a6000", "h100", "h200", "b200", "rtx-5090"]) expect(names).toContain(name);
});

describe.each(names)("%s", (name) => {
  test("says where each of its numbers is from, and is called as its file", async () => {
    const profile = await loadProfile(name);
    expect(profile.name).toBe(name);
    const figures: { value: unknown; source: unknown }[] = [];
    const collect = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      if ("value" in value) figures.push(value as (typeof figures)[number]);
      else Object.values(value).forEach(collect);
    };
    collect(profile);
    expect(figures.length).toBeGreaterThanOrEqual(8);
    for (const { value, source } of figures) {
      expect(value).toBeGreaterThan(0);
      expect(source).toMatch(/\w{4}/);
    }
  });
});

test.each(gpus)("$name: kernels of fewer limbs take longer for each, since a launch takes as long", async (profile) => {
  const setting = await loadKernelSetting();
  const shape = launchShape(new Parameters(preset("bootstrap-16").spec));
  const whole = kernelSeconds(profile, setting, shape);
  const quarter = kernelSeconds(profile, setting, { ...shape, limbs: shape.limbs / 4 });
  for (const kernel of kernelNames) {
    expect(whole[kernel]).toBeGreaterThan(0);
    expect(quarter[kernel]).toBeGreaterThan(whole[kernel]);
  }
});

describe("what is no profile", () => {
  const changed = async (change: (profile: Record<string, unknown>) => void): Promise<string> => {
    const value = JSON.parse(await readFile(new URL("../../profiles/a100-40.json", import.meta.url), "utf8"));
    change(value);
    return JSON.stringify(value);
  };

  test("an unknown name is answered with those that there are", async () => {
    await expect(loadProfile("a100-41")).rejects.toMatchObject({
      code: "argument",
      hint: expect.stringContaining("a100-40"),
    });
    await expect(loadProfile("../package")).rejects.toMatchObject({ code: "argument" });
  });

  test("a file that is not there, and text that is not JSON", async () => {
    await expect(loadProfile("/nowhere/profile.json")).rejects.toMatchObject({ code: "io" });
    expect(() => parseProfile("{", "p.json")).toThrow(/p\.json: not JSON/);
  });

  test.each([
    ["a missing field", (p: Record<string, unknown>) => delete p.memory, /memory/],
    [
      "no bandwidth",
      (p: Record<string, unknown>) => Object.assign(p.bandwidth as object, { value: 0 }),
      /bandwidth\.value/,
    ],
    [
      "absurd memory",
      (p: Record<string, unknown>) => Object.assign(p.memory as object, { value: 1e30 }),
      /memory\.value/,
    ],
    [
      "a number without a source",
      (p: Record<string, unknown>) => delete (p.launch as { source?: string }).source,
      /launch\.source/,
    ],
    ["a field that is not known", (p: Record<string, unknown>) => Object.assign(p, { bandwith: 1 }), /bandwith/],
    ["another kind", (p: Record<string, unknown>) => Object.assign(p, { kind: "tpu" }), /kind/],
  ])("%s", async (_, change, message) => {
    const text = await changed(change as (p: Record<string, unknown>) => void);
    expect(() => parseProfile(text, "p.json")).toThrow(message);
    expect(() => parseProfile(text, "p.json")).toThrow(expect.objectContaining({ code: "format" }));
  });
});

describe("topologies", () => {
  const load = (name: string): Promise<Profile> => loadProfile(name);

  test("a switch connects all devices of a host, each over ports of its own", async () => {
    const { links, path } = topologyOf(await load("a100-40"), 4);
    for (const from of [0, 1, 2, 3])
      for (const to of [0, 1, 2, 3].filter((device) => device !== from)) {
        const { links: ports, latencySeconds } = path(from, to);
        expect(ports.map((port) => links[port]?.name)).toEqual([`device ${from} link out`, `device ${to} link in`]);
        expect(links[ports[0] as number]?.bytesPerSecond).toBe(300e9);
        expect(latencySeconds).toBeGreaterThan(0);
      }
  });

  test("bridges connect pairs, everything else goes through the host", async () => {
    const { links, path } = topologyOf(await load("a100-80-pcie"), 4);
    const speed = (from: number, to: number) => links[path(from, to).links[0] as number]?.bytesPerSecond;
    expect([speed(0, 1), speed(2, 3), speed(1, 2), speed(0, 3)]).toEqual([300e9, 300e9, 32e9, 32e9]);
  });

  test("hosts are filled one after another, and the network between them is the slowest", async () => {
    const profile = await load("h100");
    const { links, path } = topologyOf(profile, 16);
    const name = (from: number, to: number) => links[path(from, to).links[0] as number]?.name;
    expect([name(0, 7), name(7, 8), name(8, 15)]).toEqual([
      "device 0 link out",
      "device 7 network out",
      "device 8 link out",
    ]);
    expect(slowestPath(topologyOf(profile, 8)).bytesPerSecond).toBe(450e9);
    expect(slowestPath(topologyOf(profile, 16)).bytesPerSecond).toBe(25e9);
  });
});
