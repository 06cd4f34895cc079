/** Programs as JSON, and what is refused. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { AegisError } from "../../src/base/errors.ts";
import { parseProgram } from "../../src/program/parse.ts";
import type { Program } from "../../src/program/program.ts";
import { type Capabilities, verifyProgram } from "../../src/program/verify.ts";
import { type Draft, find, smallProgram } from "../support/program.ts";

let program: Program;
let capabilities: Capabilities;

beforeAll(() => {
  ({ program, capabilities } = smallProgram());
});

describe("as JSON", () => {
  const refused = (json: unknown): AegisError => {
    try {
      parseProgram(json);
    } catch (error) {
      expect(error).toBeInstanceOf(AegisError);
      expect(["program", "format"]).toContain((error as AegisError).code);
      expect((error as AegisError).message.length).toBeLessThan(350);
      return error as AegisError;
    }
    throw new Error("expected a refusal");
  };
  const edited = (edit: (draft: Draft) => unknown): unknown => {
    const draft = structuredClone(program) as Draft;
    edit(draft);
    return draft;
  };

  test("comes back as it was, from text and from parsed text", () => {
    const text = JSON.stringify(program);
    expect(parseProgram(text)).toEqual(program);
    expect(JSON.stringify(parseProgram(JSON.parse(text)))).toHaveLength(text.length);
    verifyProgram(parseProgram(text), capabilities);
  });

  test.each<[string, (draft: Draft) => unknown]>([
    ["another format", (d) => ((d as { format: number }).format = 2)],
    ["an unknown kind", (d) => ((d.operations[3] as { kind: string }).kind = "decrypt")],
    ["an unknown field", (d) => Object.assign(d.operations[3], { run: "rm" })],
    ["too few inputs", (d) => (find(d, "multiply") as { inputs: string[] }).inputs.pop()],
    ["too many inputs", (d) => (find(d, "expand") as { inputs: string[] }).inputs.push("x")],
    ["ids out of order", (d) => (d.operations[3].id = 7)],
    ["a tensor under another name", (d) => (d.tensors[d.input].name = "x")],
    ["a count without end", (d) => (d.tensors[d.input].count = 2 ** 40)],
    ["a fraction of a level", (d) => (d.operations[3].level = 1.5)],
    ["NaN", (d) => (d.tensors[d.input].norm = Number.NaN)],
    ["a geometry of zero", (d) => (d.geometry.tokens = 0)],
    ["a geometry that overflows", (d) => (d.geometry.tokens = 2 ** 16)],
    ["a long name", (d) => (d.output = "x".repeat(10_000))],
    [
      "too many coefficients",
      (d) => ((find(d, "polynomial") as { coefficients: number[] }).coefficients = new Array<number>(1000).fill(0)),
    ],
    ["no operations", (d) => (d.operations = [])],
  ])("refuses %s", (_, edit) => {
    refused(edited(edit));
  });

  test("refuses text that is too long or not JSON, without stack or prose of the engine", () => {
    expect(refused("{").message).toBe("program: not JSON");
    expect(refused(" ".repeat(2 ** 26 + 1)).message).toMatch(/longer than/);
  });

  test("refuses a list of a million operations quickly", () => {
    const start = performance.now();
    refused({ ...program, operations: new Array<unknown>(1e6).fill(program.operations[0]) });
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test("refuses anything else", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => void refused(json)),
      { seed: 6 },
    );
  });

  test("any damage ends in a refusal or in a program", () => {
    const text = JSON.stringify(program);
    const property = fc.property(
      fc.nat(text.length - 1),
      fc.string({ maxLength: 4 }),
      fc.nat(6),
      (at, inserted, removed) => {
        try {
          parseProgram(text.slice(0, at) + inserted + text.slice(at + removed));
        } catch (error) {
          if (!(error instanceof AegisError)) throw error;
        }
      },
    );
    fc.assert(property, { numRuns: 300, seed: 7 });
  });
});
