/** Plans from outside: any JSON ends in a plan of the right form or in a typed error. */
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import { collectiveNames, shardingNames } from "../kernels/index.ts";
import type { Plan } from "./plan.ts";
import { maximumDevices } from "./planner.ts";
import { strategyNames } from "./strategies.ts";

/** Most characters of a plan as JSON text. */
export const maximumPlanBytes = 2 ** 28;
const maximumSteps = 2 ** 18;
const maximumNumbers = 2 ** 16;

const index = z
  .int()
  .min(0)
  .max(2 ** 16);
const device = z
  .int()
  .min(0)
  .max(maximumDevices - 1);
const bytes = z.int().min(0);
const name = z.string().min(1).max(200);

/** Ascending numbers as runs: [first, last] pairs, one after another. */
const numbers = z
  .array(index)
  .max(maximumNumbers)
  .transform((runs, context) => {
    const list: number[] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const first = runs[i] as number;
      const last = runs[i + 1];
      if (last === undefined || last < first || (list.length > 0 && first <= (list.at(-1) as number))) {
        context.addIssue({ code: "custom", message: "expected ascending runs of numbers" });
        return z.NEVER;
      }
      for (let number = first; number <= last; number++) list.push(number);
    }
    return list;
  });

const part = z.strictObject({ outputs: z.array(numbers).max(16), summed: numbers.optional() });

const step = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("compute"),
    operation: index,
    phase: z.enum(["whole", "sums", "finish"]),
    parts: z.array(part.nullable()).max(maximumDevices),
  }),
  z.strictObject({
    kind: z.literal("transfer"),
    collective: z.enum(collectiveNames),
    operation: index,
    tensor: name,
    form: z.enum(["ciphertexts", "sums"]),
    level: z.int().min(0).max(64),
    moves: z
      .array(z.strictObject({ from: device, to: z.array(device).min(1).max(maximumDevices), indices: numbers }))
      .max(4096),
    unitBytes: bytes,
  }),
  z.strictObject({
    kind: z.literal("cut"),
    operation: index,
    sharding: z.enum(shardingNames),
    part: part.omit({ summed: true }),
    bytes: z.partialRecord(z.enum(collectiveNames), bytes),
  }),
]);

const schema = z.strictObject({
  format: z.literal(1),
  strategy: z.enum(strategyNames),
  devices: z.int().min(1).max(maximumDevices),
  overlap: z.boolean(),
  program: z.string().max(200),
  preset: z.string().max(200),
  steps: z.array(step).max(maximumSteps),
});

/** A plan as JSON text, ciphertext numbers as runs. */
export function printPlan(plan: Plan): string {
  return JSON.stringify(plan, (key, value) =>
    key === "indices" || key === "summed"
      ? toRuns(value as number[])
      : key === "outputs"
        ? (value as number[][]).map(toRuns)
        : value,
  );
}

/** A plan from JSON text or what `JSON.parse` made of it. Throws `format`. */
export function parsePlan(json: unknown): Plan {
  const parsed = schema.safeParse(typeof json === "string" ? fromText(json) : json);
  if (parsed.success) return parsed.data as Plan;
  const issue = parsed.error.issues[0];
  const place = (issue?.path ?? []).map(String).join(".").slice(0, 100);
  throw malformed(`${place === "" ? "" : `${place}: `}${(issue?.message ?? "not valid").slice(0, 160)}`);
}

function fromText(text: string): unknown {
  if (text.length > maximumPlanBytes) throw malformed(`longer than ${maximumPlanBytes} characters`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed("not JSON", cause);
  }
}

function malformed(message: string, cause?: unknown): AegisError {
  return new AegisError("format", `plan: ${message}`, {
    hint: "make it again with aegis plan --out",
    ...(cause === undefined ? {} : { cause }),
  });
}

function toRuns(list: readonly number[]): number[] {
  const runs: number[] = [];
  for (const number of list) {
    if (runs.length > 0 && number === (runs.at(-1) as number) + 1) runs[runs.length - 1] = number;
    else runs.push(number, number);
  }
  return runs;
}
