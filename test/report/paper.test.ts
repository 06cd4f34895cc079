/** The report on the paper, of a small model on a small ring: that its parts are there, true to the data, and whole. */
import { beforeAll, expect, test } from "vitest";
import { figuresOf, headlines, htmlOf, type PaperStudy, pageOf, paperStudy } from "../../src/report/index.ts";
import { bestCut, paperDevices } from "../../src/report/paper/study.ts";
import { digestOf } from "../../src/runtime/index.ts";
import type { CalibrationRow } from "../../src/simulator/index.ts";
import { bootParameters } from "../support/transformer.ts";

/** The real ones are of BERT-Base, and have a test of their own. */
const calibration: readonly CalibrationRow[] = [
  { what: "a kernel", predicted: 2, reference: 1.6, unit: "s", error: 0.25, source: "somebody, 2025", role: "fit" },
  { what: "a run", predicted: 3, reference: 4, unit: "s", error: -0.25, source: "another, 2024", role: "forecast" },
];

let study: PaperStudy;
const told: string[] = [];

beforeAll(async () => {
  study = await paperStudy({
    parameters: bootParameters(12),
    digest: digestOf,
    model: "bert-tiny",
    lengths: [64],
    more: [],
    calibration,
    onProgress: (what) => told.push(what),
  });
}, 120_000);

test("figures beside the paper's follow from the plans", () => {
  const all = headlines(study);
  const of = (what: RegExp) => all.find((one) => what.test(one.what));
  const aegis = study.strategies.find(({ strategy }) => strategy === "aegis");
  expect(of(/^Efficiency on four devices$/)).toMatchObject({ ours: aegis?.efficiency, paper: 0.9662, aim: 0.97 });
  expect(of(/^Times one device, on four$/)?.ours).toBeCloseTo(paperDevices * (aegis?.efficiency ?? 0), 9);
  const best = bestCut(study.strategies, "selfAttention");
  expect(of(/^Self-attention: bytes beside the best/)?.ours).toBe(
    (aegis?.bytes.selfAttention ?? 0) / best.bytes.selfAttention,
  );
  for (const { ours, aim, better, reached } of all)
    expect(reached).toBe(aim === null ? null : better === "more" ? ours >= aim : ours <= aim);
});

test("every part is there: lengths, devices, strategies, what each part of the design gains", () => {
  expect(study.memory.map(({ tokens, devices }) => [tokens, devices])).toEqual([
    [64, 1],
    [64, 4],
  ]);
  expect(study.scaling.map(({ profile, comparison }) => [profile, comparison.devices])).toEqual([
    ["a6000", 1],
    ["a6000", 2],
    ["a100-40", 1],
    ["a100-40", 2],
    ["a100-40", 4],
  ]);
  expect(study.strategies).toHaveLength(9);
  const [placement, , , all] = study.ablation;
  expect(all?.comparison.seconds).toBeLessThan(placement?.comparison.seconds as number);
  expect(study.matrix.length).toBeGreaterThan(5);
  expect(told.length).toBeGreaterThan(10);
});

test("the page needs nothing from elsewhere, and shows every figure", async () => {
  const figures = await figuresOf(study);
  const html = htmlOf(pageOf(study, figures));
  expect(html).toMatch(/^<!doctype html>/);
  expect(html.match(/<script|<link|<img|@import|url\(/g)).toBeNull();
  const addresses = [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, address]) => address as string);
  expect(addresses.filter((address) => !address.startsWith("#"))).toEqual([]);
  for (const { name, svg } of figures) {
    expect(html).toContain(`<figure id="${name}">`);
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  }
  for (const { what, source } of calibration) for (const text of [what, source]) expect(html).toContain(text);
  for (const { strategy } of study.strategies) expect(html).toContain(`<td>${strategy}</td>`);
});

test("it stops when it is asked to", async () => {
  const options = { parameters: bootParameters(12), digest: digestOf, model: "bert-tiny", lengths: [64], more: [] };
  await expect(paperStudy({ ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
});
