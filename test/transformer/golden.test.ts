/** The shipped checkpoints compile to the programs whose bootstraps stand in their calibration.json. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Parameters, preset } from "../../src/ckks/index.ts";
import { loadCheckpoint } from "../../src/model/index.ts";
import { bootstrapPlaces, compile, parseCalibration, referenceTimes } from "../../src/transformer/index.ts";
import { root } from "../support/build.ts";

describe.each(["sentiment-bert-tiny", "spam-bert-tiny-2048"])("%s", (name) => {
  it("bootstraps where its calibration says", async () => {
    const directory = join(root, "models", name);
    const checkpoint = await loadCheckpoint(directory);
    const json = JSON.parse(readFileSync(join(directory, "calibration.json"), "utf8"));
    const calibration = parseCalibration(json, checkpoint);
    const stored = calibration.schedule;
    expect(stored).toBeDefined();
    const parameters = new Parameters(preset(stored?.preset as string).spec);
    const length = stored?.tokens as number;
    const { program } = compile(checkpoint.config, calibration, parameters, { length, times: referenceTimes });
    expect(bootstrapPlaces(program)).toEqual(stored?.bootstraps);
  });

  it("is the same program whatever the machine's kernel times", async () => {
    const directory = join(root, "models", name);
    const checkpoint = await loadCheckpoint(directory);
    const json = JSON.parse(readFileSync(join(directory, "calibration.json"), "utf8"));
    const calibration = parseCalibration(json, checkpoint);
    const parameters = new Parameters(preset("bootstrap-16").spec);
    const times = { ...referenceTimes, ntt: 10 * referenceTimes.ntt, convert: referenceTimes.convert / 10 };
    const here = compile(checkpoint.config, calibration, parameters, { length: 7, times: referenceTimes });
    const there = compile(checkpoint.config, calibration, parameters, { length: 7, times });
    expect(there.program).toEqual(here.program);
    expect(there.seconds).not.toEqual(here.seconds);
  });
});
