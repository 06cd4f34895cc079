/**
 * Polynomials for activation functions on a calibrated range: minimax in absolute error.
 *
 * On a symmetric range gelu, relu and silu are x/2 plus an even function, tanh is odd and the sigmoid ½ plus an
 * odd one; the fit is of that part alone, so that the coefficients that vanish are exact zeros.
 */
import { AegisError } from "../../base/errors.ts";
import { addSeries, type ChebyshevSeries, type RealFunction } from "./chebyshev.ts";
import { degreeForDepth } from "./cost.ts";
import { type Fit, type FitProblem, type FitTarget, fitDegree, fitPolynomial } from "./fit.ts";
import { checkInterval, type Interval } from "./interval.ts";
import type { Parity } from "./parity.ts";
import { gelu, relu, sigmoid, silu } from "./special.ts";

/** The activation functions of Transformer checkpoints. */
export type Activation = "gelu" | "tanh" | "relu" | "silu" | "sigmoid";

interface Shape {
  readonly exact: RealFunction;
  /** f(x) = constant + slope·x + (a function of this parity). */
  readonly constant: number;
  readonly slope: number;
  readonly parity: Parity;
}

const shapes: Readonly<Record<Activation, Shape>> = {
  gelu: { exact: gelu, constant: 0, slope: 0.5, parity: "even" },
  relu: { exact: relu, constant: 0, slope: 0.5, parity: "even" },
  silu: { exact: silu, constant: 0, slope: 0.5, parity: "even" },
  tanh: { exact: Math.tanh, constant: 0, slope: 0, parity: "odd" },
  sigmoid: { exact: sigmoid, constant: 0.5, slope: 0, parity: "odd" },
};

/** The function of a name, in doubles. Throws an `argument` error for a name that is not known. */
export function activationFunction(activation: Activation): RealFunction {
  return shapeOf(activation).exact;
}

function shapeOf(activation: Activation): Shape {
  if (Object.hasOwn(shapes, activation)) return shapes[activation];
  throw new AegisError("argument", `activation ${JSON.stringify(activation)} is not known`, {
    operation: "fitActivation",
    hint: `use one of ${Object.keys(shapes).join(", ")}`,
  });
}

/**
 * The polynomial of smallest degree within `target` of the activation, everywhere on `interval`.
 * `parity` of the result is that of the part that was fitted: for gelu on a symmetric range the
 * series is even but for its coefficient 1. Throws as {@link fitPolynomial}.
 *
 * @example
 * const { series, depth } = fitActivation("gelu", [-6, 6], 2 ** -10);
 */
export function fitActivation(activation: Activation, interval: Interval, target: number, maximumDegree?: number): Fit {
  return fitPart(activation, interval, (problem) => fitPolynomial({ ...problem, target, maximumDegree } as FitTarget));
}

/** The best polynomial for the activation within `depth` levels. */
export function activationForDepth(activation: Activation, interval: Interval, depth: number): Fit {
  return fitPart(activation, interval, (problem) => fitDegree(problem, degreeForDepth(depth)));
}

function fitPart(activation: Activation, interval: Interval, fit: (problem: FitProblem) => Fit): Fit {
  const { exact, constant, slope, parity } = shapeOf(activation);
  const [a, b] = checkInterval("interval", interval);
  if (a !== -b) return fit({ f: exact, domain: [a, b] });
  // Twice the part, from both sides: exactly of its parity in doubles.
  const half = parity === "even" ? 0.5 : -0.5;
  const part = fit({ f: (x) => 0.5 * exact(x) + half * exact(-x), domain: [a, b], parity });
  const line: ChebyshevSeries = { interval: [a, b], coefficients: Float64Array.of(constant, slope * b) };
  const series = slope === 0 && constant === 0 ? part.series : addSeries(part.series, line);
  return {
    ...part,
    series,
    degree: Math.max(part.degree, slope === 0 ? 0 : 1),
    depth: Math.max(part.depth, slope === 0 ? 0 : 1),
  };
}
