/** Traces of the operations of a program, each made once. */
import { invariant } from "../../base/validate.ts";
import type { Bootstrapper } from "../../circuits/index.ts";
import { Context, type Parameters } from "../../ckks/index.ts";
import { kernelNames, NullBackend } from "../../kernels/index.ts";
import type { Program } from "../../program/index.ts";
import { Environment } from "../operators/environment.ts";
import type { Trace } from "./trace.ts";
import { TracingEvaluator } from "./tracing-evaluator.ts";

/** Runs operators; what it holds at the end is its own to free. */
export type Traced = (environment: Environment, evaluator: TracingEvaluator) => void;

export class Traces {
  /** On any context: its plaintexts tell shapes alone. */
  readonly bootstrapper: Bootstrapper | undefined;
  readonly #backend = new NullBackend();
  readonly #context: Context;
  readonly #program: Pick<Program, "geometry" | "length">;
  readonly #known = new Map<string, Trace>();

  constructor(
    program: Pick<Program, "geometry" | "length">,
    parameters: Parameters,
    bootstrapper: Bootstrapper | undefined,
  ) {
    this.#context = new Context(parameters, this.#backend);
    this.#program = program;
    this.bootstrapper = bootstrapper;
  }

  /**
   * @param key of all that is traced alike at any level
   * @param base level that it works at
   */
  of(key: string, base: number, traced: Traced): Trace {
    let trace = this.#known.get(key);
    if (trace === undefined) this.#known.set(key, (trace = this.#make(base, traced)));
    return trace;
  }

  #make(base: number, traced: Traced): Trace {
    const evaluator = new TracingEvaluator(this.#context, base);
    const { geometry, length } = this.#program;
    traced(new Environment(evaluator, geometry, length, this.bootstrapper), evaluator);
    invariant(
      kernelNames.every((name) => this.#backend.work[name] === 0),
      "an operator asks for more than its evaluator is told",
    );
    return evaluator.trace;
  }
}
