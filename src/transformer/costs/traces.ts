/** Traces of the operations of a program, each made once. */
import { invariant } from "../../base/validate.ts";
import { Bootstrapper } from "../../circuits/index.ts";
import { Context, type Parameters } from "../../ckks/index.ts";
import { kernelNames, NullBackend } from "../../kernels/index.ts";
import { type Program, slotsOf } from "../../program/index.ts";
import { Environment } from "../operators/environment.ts";
import { Recorder } from "./recorder.ts";
import type { Trace } from "./trace.ts";
import { TracingEvaluator } from "./tracing-evaluator.ts";

/** Traces of programs, for all that is planned of one. */
const kept = new WeakMap<Program, Traces>();

/** Traces of a program, those that were made before among them. */
export function tracesOf(program: Program, parameters: Parameters): Traces {
  const known = kept.get(program);
  if (known?.parameters === parameters) return known;
  const traces = new Traces(program, parameters);
  keepTraces(program, traces);
  return traces;
}

/** Keeps traces for {@link tracesOf}. */
export function keepTraces(program: Program, traces: Traces): void {
  kept.set(program, traces);
}

/** Runs operators; what it holds at the end is its own to free. */
export type Traced = (environment: Environment, evaluator: TracingEvaluator) => void;

export class Traces {
  readonly parameters: Parameters;
  readonly #backend = new NullBackend("uncounted");
  readonly #context: Context;
  readonly #program: Pick<Program, "geometry" | "length">;
  readonly #known = new Map<string, Trace>();
  #bootstrapper: Bootstrapper | undefined;

  /** @param bootstrapper on any context: its plaintexts tell shapes alone; made when asked for by default */
  constructor(program: Pick<Program, "geometry" | "length">, parameters: Parameters, bootstrapper?: Bootstrapper) {
    this.parameters = parameters;
    this.#context = new Context(parameters, this.#backend);
    this.#program = program;
    this.#bootstrapper = bootstrapper;
  }

  /** Undefined where the parameters do not bootstrap. */
  get bootstrapper(): Bootstrapper | undefined {
    if (this.#bootstrapper === undefined && this.parameters.spec.bootstrapping !== undefined)
      this.#bootstrapper = new Bootstrapper(this.#context, slotsOf(this.#program.geometry));
    return this.#bootstrapper;
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
    const { bootstrapper } = this;
    const recorder = new Recorder(base);
    const evaluator = new TracingEvaluator(this.#context, recorder);
    const { geometry, length } = this.#program;
    const before = { ...this.#backend.work };
    traced(new Environment(evaluator, geometry, length, bootstrapper), evaluator);
    invariant(
      kernelNames.every((name) => this.#backend.work[name] === before[name]),
      "an operator asks for more than its evaluator is told",
    );
    return recorder.trace;
  }
}
