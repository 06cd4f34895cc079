/**
 * Calibration: from observed ranges of activations to the intervals and polynomials of every
 * non-linear function. The result is plain JSON that stands beside the checkpoint.
 */
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import { bestForDepth, fitPolynomial, type Interval, type Parity } from "../circuits/approximation/index.ts";
import { activationFunction, type Checkpoint, type RangeTable } from "../model/index.ts";

const fitted = z.object({
  /** Interval of true values, ascending. */
  interval: z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high, "expected an ascending interval"),
  /** Chebyshev coefficients over the interval mapped to [−1, 1]. */
  coefficients: z.array(z.number()).min(2).max(256),
  degree: z.number().int(),
  depth: z.number().int(),
  /** Largest error, in the measure named. */
  maximumError: z.number(),
  measure: z.enum(["absolute", "relative"]),
});

/** Of a function that is defined for positive numbers only. */
const fittedPositive = fitted.refine(({ interval }) => interval[0] > 0, "expected an interval of positive numbers");

const layer = z.object({
  /** Bounds of magnitude. */
  query: z.number().positive(),
  key: z.number().positive(),
  value: z.number().positive(),
  /** exp of a head's logit minus its shift. */
  exp: fitted,
  headShifts: z.array(z.number()),
  /** 1/x of the mean of shifted exponentials. */
  inverse: fittedPositive,
  attentionNorm: fittedPositive,
  activation: fitted,
  outputNorm: fittedPositive,
});

const schema = z.object({
  format: z.literal(1),
  checkpoint: z.string(),
  texts: z.number().int(),
  /** Longest text that the ranges were observed on. */
  source: z.string(),
  embeddings: z.number().positive(),
  layers: z.array(layer),
  pooler: fitted,
  logits: z.number().positive(),
  /** Where a text of so many tokens is bootstrapped, as the shortest path found it. */
  schedule: z
    .object({
      preset: z.string(),
      tokens: z.number().int(),
      bootstraps: z.array(
        z.object({ before: z.string(), refreshes: z.array(z.string()), from: z.number().int(), to: z.number().int() }),
      ),
    })
    .optional(),
});

export type FittedFunction = z.infer<typeof fitted>;
export type LayerCalibration = z.infer<typeof layer>;
export type Calibration = z.infer<typeof schema>;

export const calibrationFile = "calibration.json";

/** How tight polynomials are; relative to the output's range for `absolute` measures. */
export interface CalibrationTargets {
  readonly exp: number;
  readonly inverse: number;
  readonly norm: number;
  readonly activation: number;
  readonly tanh: number;
}

export const defaultTargets: CalibrationTargets = {
  exp: 2 ** -17,
  inverse: 2 ** -9,
  norm: 2 ** -8.5,
  activation: 2 ** -12,
  tanh: 2 ** -11,
};

/** Share by which observed intervals are widened. */
const margin = 0.15;
/** Widening of intervals of positive quantities whose ratio matters, as a factor. */
const ratioMargin = 1.35;

/** Fits all polynomials to observed ranges. Throws `model` when a range is missing. */
export function calibrate(
  checkpoint: Checkpoint,
  ranges: RangeTable,
  origin: { texts: number; source: string },
  targets: CalibrationTargets = defaultTargets,
): Calibration {
  const { config } = checkpoint;
  const range = (name: string): Interval => {
    const found = ranges[name];
    if (found === undefined) throw new AegisError("model", `calibration: no range of ${name} was observed`);
    return [found.min, found.max];
  };
  const magnitude = (name: string): number => {
    const [low, high] = range(name);
    return Math.max(-low, high) * (1 + margin);
  };
  const layers = checkpoint.layers.map((_, l): LayerCalibration => {
    const at = (name: string): string => `layer${l}.${name}`;
    const heads = Array.from({ length: config.heads }, (_, h) => range(at(`head${h}.log_row_mean_exp`)));
    const headShifts = heads.map(([low, high]) => (low + high) / 2);
    const spread = Math.max(...heads.map(([low, high]) => (high - low) / 2)) + Math.log(ratioMargin);
    const logits = widen(range(at("attention_logit")));
    return {
      query: magnitude(at("query")),
      key: magnitude(at("key")),
      value: magnitude(at("value")),
      exp: fit(Math.exp, logits, targets.exp * Math.exp(logits[1]), "absolute"),
      headShifts,
      inverse: fit((x) => 1 / x, [Math.exp(-spread), Math.exp(spread)], targets.inverse, "relative"),
      attentionNorm: normFit(range(at("attention.ln.var")), targets.norm, config.layerNormEpsilon),
      activation: activationFit(config.activation, widen(range(at("ffn_preactivation"))), targets.activation),
      outputNorm: normFit(range(at("output.ln.var")), targets.norm, config.layerNormEpsilon),
    };
  });
  const pooler = symmetric(widen(range("pooler_input")));
  return {
    format: 1,
    checkpoint: checkpoint.digest,
    texts: origin.texts,
    source: origin.source,
    embeddings: magnitude("embeddings"),
    layers,
    pooler: fit(Math.tanh, pooler, targets.tanh, "absolute", "odd"),
    logits: magnitude("logits"),
  };
}

/** Checks JSON read from outside against the schema and the checkpoint. Throws `format` or `model`. */
export function parseCalibration(json: unknown, checkpoint: Checkpoint): Calibration {
  const parsed = schema.safeParse(json);
  const hint = "run aegis calibrate to write it anew";
  const malformed = (message: string): AegisError =>
    new AegisError("format", `${calibrationFile}: ${message}`, { hint });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = issue?.path.map(String).join(".") ?? "";
    throw malformed(`${place === "" ? "" : `${place}: `}${issue?.message ?? "not valid"}`);
  }
  if (parsed.data.checkpoint !== checkpoint.digest) {
    throw new AegisError("model", `${calibrationFile} belongs to another checkpoint`, { hint });
  }
  const { layers, heads } = checkpoint.config;
  if (parsed.data.layers.length !== layers)
    throw malformed(`${parsed.data.layers.length} layers, the model has ${layers}`);
  for (const { headShifts } of parsed.data.layers) {
    if (headShifts.length !== heads) throw malformed(`${headShifts.length} attention heads, the model has ${heads}`);
  }
  return parsed.data;
}

/**
 * The polynomial of the fewest levels that meets the target, then of the highest degree that these
 * levels allow: a few products more buy all the precision that the levels can give.
 */
function fit(
  f: (x: number) => number,
  interval: Interval,
  target: number,
  measure: "absolute" | "relative",
  parity?: Parity,
): FittedFunction {
  const problem = {
    f,
    domain: interval,
    ...(measure === "relative" ? { weight: (x: number) => 1 / Math.abs(f(x)) } : {}),
    ...(parity === undefined ? {} : { parity }),
  };
  const least = fitPolynomial({ ...problem, target, maximumDegree: 127 });
  const fullest = bestForDepth(problem, least.depth);
  const result = fullest.depth === least.depth && fullest.maximumError < least.maximumError ? fullest : least;
  return {
    interval: [interval[0], interval[1]],
    coefficients: Array.from(result.series.coefficients),
    degree: result.degree,
    depth: result.depth,
    maximumError: result.maximumError,
    measure,
  };
}

function normFit([low, high]: Interval, target: number, epsilon: number): FittedFunction {
  return fit((x) => 1 / Math.sqrt(x + epsilon), [low / ratioMargin, high * ratioMargin], target, "relative");
}

/** GELU and ReLU are x/2 plus an even function: on a symmetric interval odd coefficients vanish. */
function activationFit(name: Checkpoint["config"]["activation"], interval: Interval, target: number): FittedFunction {
  const f = activationFunction(name);
  const [low, high] = symmetric(interval);
  const even = fit((x) => f(x) - x / 2, [low, high], target * high, "absolute", "even");
  const coefficients = [...even.coefficients];
  coefficients[1] = (coefficients[1] ?? 0) + high / 2;
  return { ...even, coefficients };
}

function widen([low, high]: Interval): Interval {
  const slack = ((high - low) * margin) / 2;
  return [low - slack, high + slack];
}

function symmetric([low, high]: Interval): Interval {
  const bound = Math.max(-low, high);
  return [-bound, bound];
}
