/** Programs: the verifier, the printed form. */
import { beforeAll, describe, expect, test } from "vitest";
import { AegisError } from "../../src/base/errors.ts";
import { printProgram } from "../../src/program/print.ts";
import type { OperationKind, Program, Tensor } from "../../src/program/program.ts";
import { type Capabilities, verifyProgram } from "../../src/program/verify.ts";
import { type Draft, find, smallProgram, type Writable } from "../support/program.ts";

let program: Program;
let capabilities: Capabilities;

beforeAll(() => {
  ({ program, capabilities } = smallProgram());
});
const input = (draft: Draft, kind: OperationKind, index = 0): Writable<Tensor> =>
  draft.tensors[find(draft, kind).inputs[index]];
const output = (draft: Draft, kind: OperationKind): Writable<Tensor> => draft.tensors[find(draft, kind).outputs[0]];

describe("the verifier", () => {
  const refusal = (
    edit: (draft: Draft) => void,
    given: Partial<Record<keyof Capabilities, number | undefined>> = {},
  ): AegisError => {
    const draft = structuredClone(program) as Draft;
    edit(draft);
    try {
      verifyProgram(draft, { ...capabilities, ...given } as Capabilities);
    } catch (error) {
      expect(error).toBeInstanceOf(AegisError);
      expect((error as AegisError).code).toBe("program");
      return error as AegisError;
    }
    throw new Error("expected a refusal");
  };

  test("accepts what the compiler makes", () => {
    expect(() => verifyProgram(program, capabilities)).not.toThrow();
  });

  test.each<[string, (draft: Draft) => void, RegExp]>([
    [
      "a level that is too low for the depth",
      (d) => (find(d, "scores").level = 2),
      /attention → scores: level 2 with depth 3/,
    ],
    ["a level above the ring's", (d) => (find(d, "linear").level = 99), /linear: level 99 with depth 1/],
    [
      "an input below the operation",
      (d) => ((find(d, "linear").level as number) += 1),
      /linear: needs layer0.input at level \d+, it is at \d+/,
    ],
    [
      "an output at another level",
      (d) => ((output(d, "scores").level as number) += 1),
      /scores: gives level \d+, layer0.scores is declared at \d+/,
    ],
    [
      "an operation without level",
      (d) => delete find(d, "context").level,
      /context: has no level: the program is not scheduled/,
    ],
    [
      "a bootstrap above what bootstrapping gives",
      (d) => ((find(d, "bootstrap") as { target: number }).target = 40),
      /asks for level 40, bootstrapping gives/,
    ],
    [
      "a refreshed tensor at another level",
      (d) => (output(d, "bootstrap").level = 5),
      /bootstrap: gives level \d+, .* is declared at 5/,
    ],
    [
      "a bootstrap of large values",
      (d) => (input(d, "bootstrap").magnitude = 4.5),
      /may reach 4.5, at most 4 can be bootstrapped/,
    ],
    [
      "features that are not replicated",
      (d) => (input(d, "linear").content = "single"),
      /linear: input layer0.input is single, expected replicated or wide/,
    ],
    [
      "features for scores",
      (d) => ((find(d, "expand").inputs as string[])[0] = "layer0.query"),
      /expand: input \S+ is single, expected scores/,
    ],
    [
      "values that are not single",
      (d) => (input(d, "context", 1).content = "wide"),
      /context: input layer0.value is wide, expected single/,
    ],
    ["order", (d) => d.operations.splice(2, 1), /reads layer0.query before it is made/],
    [
      "a second definition",
      (d) => d.operations.splice(2, 0, structuredClone(d.operations[1])),
      /replicate: makes layer0.input a second time/,
    ],
    [
      "a tensor that is not declared",
      (d) => delete (d.tensors as Record<string, unknown>)["layer0.scores"],
      /scores: tensor layer0.scores is not declared/,
    ],
    ["an output that is never made", (d) => (d.output = "nothing"), /output nothing is never made/],
    ["more real tokens than rows", (d) => (d.length = 5), /length: expected 1 to 4 tokens, got 5/],
    ["no real tokens", (d) => (d.length = 0), /length/],
    ["lanes that are no power of two", (d) => (d.geometry.lanes = 12), /lanes must be a power of two/],
    ["heads that do not fit", (d) => (d.geometry.heads = 5), /5 heads of 4 features do not fit into 8 lanes/],
    ["more slots than the ring has", (d) => (d.geometry.tokens = 64), /need 1024 slots, the ring has 128/],
    [
      "another number of ciphertexts",
      (d) => (output(d, "expand").count = 3),
      /has 3 ciphertexts, expanded values take 2/,
    ],
    [
      "layers without outputs",
      (d) => (find(d, "linear") as { outputs: string[] }).outputs.pop(),
      /4 layers make 3 tensors/,
    ],
    [
      "a bootstrap that changes the layout",
      (d) => (output(d, "bootstrap").content = "partial"),
      /has another layout than/,
    ],
  ])("refuses %s", (_, edit, message) => {
    expect(refusal(edit).message).toMatch(message);
  });

  test("refuses bootstraps where there is no bootstrapping", () => {
    expect(refusal(() => undefined, { bootstrapLevel: undefined }).message).toMatch(/the parameters cannot bootstrap/);
  });

  test("refuses a bootstrap of an exhausted tensor", () => {
    expect(refusal(() => undefined, { bootstrapInput: 9 }).message).toMatch(
      /is at level \d, bootstrapping takes 9 or higher/,
    );
  });

  test("refuses a program of a larger ring", () => {
    expect(refusal(() => undefined, { maximumSlots: 32 }).message).toMatch(/need 64 slots, the ring has 32/);
    expect(refusal(() => undefined, { maximumLevel: 4 }).code).toBe("program");
  });
});

describe("the printed form", () => {
  test("has one line an operation, and is stable", () => {
    const text = printProgram(program);
    expect(text.split("\n")).toHaveLength(program.operations.length + 1);
    // Where to bootstrap depends on costs; the rest of the text does not.
    const lines = text.split("\n").filter((line) => !line.includes("→ bootstrap"));
    expect(
      lines
        .map((line) =>
          line
            .replace(/^ +\d+ +/, "")
            .replace(/@\d+/g, "@·")
            .replaceAll("*", ""),
        )
        .join("\n"),
    ).toMatchSnapshot();
  });

  test("shows a program that is not scheduled", () => {
    const { level: _, ...tensor } = program.tensors[program.input];
    expect(printProgram({ ...program, tensors: { ...program.tensors, [program.input]: tensor } })).toContain(
      "embeddings[feature 1, single]@?",
    );
  });
});
