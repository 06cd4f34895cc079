/**
 * Programs from outside: any JSON ends in a program of the right form or in a typed error. Form
 * only; whether levels, layouts and order are right is the verifier's business.
 */
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import { checkGeometry, contents } from "./layout.ts";
import type { Operation, Program } from "./program.ts";

/** Most operations and tensors of a program: a model of 100 layers has about 6000. */
const maximumOperations = 2 ** 16;
/** Most ciphertexts of one tensor. */
const maximumCount = 2 ** 16;
/** Most bytes of a program as JSON text. */
export const maximumProgramBytes = 2 ** 26;

const name = z.string().min(1).max(200);
const names = z.array(name).max(16);
const count = z.int().min(1).max(maximumCount);
const level = z.int().min(0).max(64);
const coefficients = z.array(z.number()).min(1).max(512);

const headFactors = z.array(z.number()).min(1).max(4096);

const tensor = z.strictObject({
  name,
  axis: z.enum(["feature", "dimension", "diagonal"]),
  blocks: count,
  count,
  content: z.enum(contents),
  features: count.optional(),
  magnitude: z.number().nonnegative(),
  norm: z.number().positive(),
  offset: z.number(),
  level: level.optional(),
  logScale: z.number().min(0).max(120).optional(),
});

const weights = z.strictObject({
  parameter: name,
  inputNorm: name.nullable(),
  centre: z.boolean(),
  inputScale: z.number(),
  outputNorm: z.number().positive(),
  outputOffset: z.number(),
});

const common = {
  id: z.int().nonnegative(),
  path: z.array(name).min(1).max(16),
  inputs: names,
  outputs: names,
  depth: z.int().min(0).max(64),
  level: level.optional(),
};

/** An operation that reads `inputs` tensors and makes `outputs`; −n stands for n or more. */
function operation<K extends string, S extends z.ZodRawShape>(kind: K, inputs: number, outputs: number, shape: S) {
  const read = inputs < 0 ? names.min(-inputs) : names.length(inputs);
  const made = outputs < 0 ? names.min(-outputs) : names.length(outputs);
  return z.strictObject({ ...common, kind: z.literal(kind), inputs: read, outputs: made, ...shape });
}

const operations = z.discriminatedUnion("kind", [
  operation("input", 0, 1, {}),
  operation("replicate", 1, 1, {}),
  operation("linear", 1, -1, { weights: z.array(weights).min(1).max(16) }),
  operation("add", 2, 1, {}),
  operation("scores", 2, 1, { constant: z.number() }),
  operation("polynomial", 1, 1, {
    function: name,
    coefficients,
    mask: z.enum(["none", "keys", "single", "first-token"]),
    headFactors: headFactors.optional(),
  }),
  operation("offset", 1, 1, {}),
  operation("mask", 1, 1, { headFactors }),
  operation("expand", 1, 1, { factor: z.number() }),
  operation("denominators", 1, 1, { factor: z.number(), constant: z.number(), headFactors: headFactors.optional() }),
  operation("context", 2, 1, {}),
  operation("multiply", 2, 1, {}),
  operation("square-sum", 1, 1, { constant: z.number() }),
  operation("bootstrap", -1, -1, { target: level }),
  operation("output", 1, 0, {}),
]);

const schema = z.strictObject({
  format: z.literal(1),
  checkpoint: z.string().max(200),
  preset: z.string().max(200),
  geometry: z.strictObject({
    layout: z.enum(["short", "long"]),
    blocks: count,
    tokens: count,
    lanes: count,
    width: count,
    heads: count,
    headSize: count,
    babySteps: count,
  }),
  length: count,
  classes: count,
  tensors: z.record(name, tensor),
  operations: z.array(operations).min(1).max(maximumOperations),
  input: name,
  output: name,
});

/**
 * A program from JSON: text, or what `JSON.parse` made of it. Throws `format` for what is not a
 * program, `program` for a geometry that cannot be.
 */
export function parseProgram(json: unknown): Program {
  const parsed = schema.safeParse(typeof json === "string" ? fromText(json) : json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = (issue?.path ?? []).map(String).join(".").slice(0, 100);
    throw malformed(`${place === "" ? "" : `${place}: `}${(issue?.message ?? "not valid").slice(0, 160)}`);
  }
  const { data } = parsed;
  if (Object.keys(data.tensors).length > maximumOperations) throw malformed(`more than ${maximumOperations} tensors`);
  for (const [key, { name }] of Object.entries(data.tensors)) {
    if (key !== name) throw malformed(`tensors.${key.slice(0, 60)}: it is named ${name.slice(0, 60)}`);
  }
  for (const [index, { id }] of data.operations.entries()) {
    if (id !== index) throw malformed(`operations.${index}: expected id ${index}, got ${id}`);
  }
  checkGeometry(data.geometry, 2 ** 16);
  return { ...data, operations: data.operations as Operation[] } as Program;
}

function fromText(text: string): unknown {
  if (text.length > maximumProgramBytes) throw malformed(`longer than ${maximumProgramBytes} characters`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed("not JSON", cause);
  }
}

function malformed(message: string, cause?: unknown): AegisError {
  return new AegisError("format", `program: ${message}`, {
    hint: "compile the model again",
    ...(cause === undefined ? {} : { cause }),
  });
}
