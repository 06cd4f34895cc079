/**
 * Parameters on the wire: JSON text `{ format, version, digest, spec }`. The primes are not
 * written: they are searched again, and the digest tells when the search found others.
 */
import { z } from "zod";
import { Parameters, type ParametersSpec } from "../parameters.ts";
import { hex, wireError } from "./header.ts";

const what = "parameters";
const format = "aegis-parameters";
const version = 1;

/** Most bytes of a parameters file. */
export const maximumParametersBytes = 65_536;

const bits = z.number().min(1).max(120);
const specSchema = z.strictObject({
  name: z.string().min(1).max(100),
  logN: z.int().min(4).max(17),
  logBase: bits,
  logLevels: z.array(bits).max(64),
  logSpecial: z.array(bits).max(24),
  logDigit: z.number().min(1).max(1000).optional(),
  logScale: bits,
  secret: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("ternary") }),
    z.strictObject({
      kind: z.literal("sparse"),
      weight: z
        .int()
        .min(1)
        .max(2 ** 17),
    }),
  ]),
  bootstrapping: z
    .strictObject({
      slotsToCoefficients: z.int().min(1).max(16),
      coefficientsToSlots: z.int().min(1).max(16),
      logMessageRatio: z.number().min(1).max(40),
      range: z.int().min(1).max(1024),
      cosineDegree: z.int().min(1).max(1023),
      doubleAngles: z.int().min(0).max(10),
      ephemeralWeight: z
        .int()
        .min(1)
        .max(2 ** 17),
    })
    .optional(),
  insecure: z.boolean().optional(),
});
const fileSchema = z.strictObject({
  format: z.literal(format),
  version: z.int(),
  digest: z.string().regex(/^[0-9a-f]{32}$/),
  spec: specSchema,
});

/** Parameters as JSON text. */
export function serializeParameters(parameters: Parameters): string {
  return `${JSON.stringify({ format, version, digest: hex(parameters.digest), spec: parameters.spec }, null, 2)}\n`;
}

/**
 * The parameters in `text`, checked as in their constructor. Throws `format`, `parameters` (also
 * when this version finds other primes for them) or `security`.
 */
export function deserializeParameters(text: string | Uint8Array): Parameters {
  if (text.length > maximumParametersBytes) {
    throw wireError(
      what,
      `${text.length} bytes, at most ${maximumParametersBytes} are accepted`,
      "this is not a parameters file",
    );
  }
  const file = fileSchema.safeParse(parseJson(text));
  if (!file.success) {
    const issue = file.error.issues[0];
    const place = issue?.path.join(".") ?? "";
    throw wireError(
      what,
      `${place === "" ? "" : `${place}: `}${issue?.message ?? "not as expected"}`,
      "write the file with serializeParameters",
    );
  }
  if (file.data.version !== version) {
    throw wireError(
      what,
      `format ${file.data.version}, this version reads format ${version}`,
      "convert it with the version that wrote it",
    );
  }
  const parameters = new Parameters(file.data.spec as ParametersSpec);
  if (hex(parameters.digest) !== file.data.digest) {
    throw wireError(
      what,
      `digest ${file.data.digest}, expected ${hex(parameters.digest)}`,
      "the file was edited, or written by a version that finds other primes",
      "parameters",
    );
  }
  return parameters;
}

function parseJson(text: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof text === "string" ? text : new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch (cause) {
    throw wireError(what, `not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
