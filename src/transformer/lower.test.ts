import { expect, test } from "vitest";
import type { Operation, Program, Tensor } from "../program/index.ts";
import { lowered } from "./lower.ts";

/** Operations by name of their outputs: kind, inputs, level, levels taken. */
type Row = readonly [Operation["kind"], readonly string[], readonly string[], number, number];

function programOf(rows: readonly Row[], layout: "short" | "long" = "short"): Program {
  const tensors: Record<string, Tensor> = {};
  const operations = rows.map(([kind, inputs, outputs, level, depth], id): Operation => {
    const given = kind === "bootstrap" ? 9 : level - depth;
    for (const name of outputs)
      tensors[name] = {
        name,
        axis: "feature",
        blocks: 1,
        count: 1,
        content: "wide",
        magnitude: 1,
        norm: 1,
        offset: 0,
        level: given,
        logScale: 50,
      };
    const target = kind === "bootstrap" ? { target: 9 } : {};
    return { id, kind, path: ["toy"], inputs, outputs, depth, level, ...target } as unknown as Operation;
  });
  const geometry = { layout, blocks: 1, babySteps: 1, tokens: 2, lanes: 4, width: 4, heads: 1, headSize: 4 } as const;
  const [input, output] = ["x", rows.at(-1)?.[1][0] as string];
  return {
    format: 1,
    preset: "toy",
    checkpoint: "",
    geometry,
    length: 2,
    classes: 1,
    tensors,
    operations,
    input,
    output,
  } as Program;
}

function levelsOf(program: Program): (number | undefined)[] {
  return program.operations.map(({ level }) => level);
}

test("operations run where their results are read, and no higher", () => {
  const program = programOf([
    ["input", [], ["x"], 9, 0],
    ["mask", ["x"], ["a"], 9, 1], // read at 4 and at 2
    ["mask", ["a"], ["b"], 4, 2],
    ["add", ["a", "b"], ["c"], 2, 0],
    ["output", ["c"], [], 1, 0],
  ]);
  const result = lowered(program, 3);
  // The output stays where it is made.
  expect(levelsOf(result)).toEqual([5, 5, 4, 2, 1]);
  expect(["x", "a", "b", "c"].map((name) => result.tensors[name]?.level)).toEqual([5, 4, 2, 2]);
  expect(levelsOf(lowered(result, 3))).toEqual(levelsOf(result));
  // The given program is left as it was.
  expect(levelsOf(program)).toEqual([9, 9, 4, 2, 1]);
});

test("what is bootstrapped comes at the lowest level, and goes to where it is read", () => {
  const program = programOf([
    ["input", [], ["x"], 9, 0],
    ["mask", ["x"], ["a"], 9, 1],
    ["bootstrap", ["a"], ["a*"], 8, 0],
    ["mask", ["a*"], ["b"], 6, 1],
    ["output", ["b"], [], 5, 0],
  ]);
  const { operations, tensors } = lowered(program, 3);
  expect(operations.map(({ level }) => level)).toEqual([4, 4, 3, 6, 5]);
  expect(operations[2]).toMatchObject({ level: 3, target: 6 });
  expect([tensors.a?.level, tensors["a*"]?.level]).toEqual([3, 6]);
});

test("outputs of a linear layer are dropped one by one in the long layout, together in the short one", () => {
  const rows: readonly Row[] = [
    ["input", [], ["x"], 9, 0],
    ["linear", ["x"], ["high", "low"], 9, 1],
    ["mask", ["high"], ["a"], 7, 1],
    ["mask", ["low"], ["b"], 3, 1],
    ["scores", ["a", "b"], ["c"], 2, 0],
    ["add", ["a", "c"], ["d"], 6, 0],
    ["output", ["d"], [], 6, 0],
  ];
  const levels = (layout: "short" | "long"): unknown[] => {
    const { tensors } = lowered(programOf(rows, layout), 3);
    return [tensors.high?.level, tensors.low?.level];
  };
  expect([levels("short"), levels("long")]).toEqual([
    [7, 7],
    [7, 3],
  ]);
});
