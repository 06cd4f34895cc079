/**
 * What whole operations of a program cost, in the chunks that one device takes them in: counted on the
 * null backend, once for operations of equal shape.
 */
import type { Bootstrapper } from "../../circuits/index.ts";
import type { Context } from "../../ckks/index.ts";
import { emptyWork, type KernelWork, kernelNames, type NullBackend } from "../../kernels/index.ts";
import type { Operation, Tensor } from "../../program/index.ts";
import { chunksOf } from "../chunks.ts";
import type { UnscheduledProgram } from "../graph/index.ts";
import { type CostModel, originOf } from "../schedule.ts";
import { OperationCosts } from "./operation-costs.ts";
import { type KernelTimes, secondsOf } from "./times.ts";
import type { Traces } from "./traces.ts";

/** Counts the work of operations of one program on a null backend. */
export class NullCosts {
  readonly #context: Context;
  readonly #program: UnscheduledProgram;
  readonly #seen = new Map<string, KernelWork>();
  readonly #units: OperationCosts;

  /** @param like costs on the same context of a program whose geometry differs in baby steps alone */
  constructor(
    context: Context,
    backend: NullBackend,
    program: UnscheduledProgram,
    bootstrapper: Bootstrapper | undefined,
    like?: NullCosts,
  ) {
    this.#context = context;
    this.#program = program;
    this.#units = new OperationCosts(
      context,
      backend,
      program,
      bootstrapper,
      like === undefined ? {} : { like: like.#units },
    );
  }

  get traces(): Traces {
    return this.#units.traces;
  }

  /** What operations cost when kernels take these times. */
  model(times: KernelTimes): CostModel {
    const bootstraps = [1, 2].map((size) => secondsOf(this.bootstrap(size as 1 | 2), times));
    return {
      operation: (operation, level) => secondsOf(this.operation(operation, level), times),
      bootstrap: (size) => bootstraps[size - 1] as number,
    };
  }

  /** Kernel work of an operation (not of bootstrapping) at a level. */
  operation(operation: Operation, level: number): KernelWork {
    const shape = this.#shape(operation, level);
    let work = this.#seen.get(shape);
    if (work === undefined) {
      work = this.#count(operation, level);
      this.#seen.set(shape, work);
    }
    return work;
  }

  /** Kernel work of one bootstrapping of so many ciphertexts. */
  bootstrap(size: 1 | 2): KernelWork {
    return this.#units.bootstrap(size);
  }

  #count(operation: Operation, level: number): KernelWork {
    const origin = { ...operation, level, inputs: operation.inputs.map(originOf) } as Operation;
    const total = emptyWork();
    for (const part of chunksOf(this.#program, origin, this.#context.parameters)) {
      const work = this.#units.work(origin, "whole", part);
      for (const name of kernelNames) total[name] += work[name];
    }
    return total;
  }

  #shape(operation: Operation, level: number): string {
    const contents = [...operation.inputs, ...operation.outputs].map((name) => {
      // Refreshed tensors have the shape of their origin.
      const { content, axis, blocks, count, features } = this.#program.tensors[originOf(name)] as Tensor;
      return `${content} ${axis} ${blocks}×${count} ${features ?? ""}`;
    });
    const detail =
      operation.kind === "polynomial"
        ? operation.coefficients.map((c) => (c === 0 ? "0" : "x")).join("") + operation.mask
        : "";
    return `${operation.kind} ${contents.join()} ${detail} @${level}`;
  }
}
