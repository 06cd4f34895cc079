/** What must hold of a plan before a device follows it. */
import { AegisError } from "../base/errors.ts";
import { type ShardingName, shardingNames } from "../kernels/index.ts";
import {
  ciphertextsOf,
  describeOperation,
  type Operation,
  type Part,
  type Program,
  readsOf,
} from "../program/index.ts";
import { type CutStep, type Plan, type ReshapeStep, type Step, sharesOf, type TransferStep } from "./plan.ts";
import { isCut, shardingsOf } from "./strategies.ts";

/**
 * Throws `plan` when a plan belongs to another program or other parameters, or when a device would
 * read what it does not have.
 *
 * @param digest SHA-256 of the program
 */
export function verifyPlan(program: Program, digest: string, plan: Plan): void {
  const hint = "make it again with aegis plan --out";
  if (plan.program !== digest) throw new AegisError("plan", "the plan was made for another program", { hint });
  if (plan.preset !== program.preset)
    throw new AegisError("plan", `the plan is for parameters ${plan.preset}, the program for ${program.preset}`, {
      hint,
    });
  const check = new Check(program, plan);
  for (const [at, step] of plan.steps.entries()) check.step(step, at);
  check.end();
}

class Check {
  readonly #program: Program;
  readonly #plan: Plan;
  /** What each device holds: `tensor number` → level; sums as `+tensor number`. */
  readonly #held: Map<string, number>[];

  constructor(program: Program, plan: Plan) {
    this.#program = program;
    this.#plan = plan;
    this.#held = Array.from({ length: plan.devices }, () => new Map());
  }

  step(step: Step, at: number): void {
    const operation = this.#program.operations[step.operation];
    if (operation === undefined || operation.kind === "input" || operation.kind === "output")
      throw this.#failure(at, `there is no operation ${step.operation} to run`);
    if (isCut(this.#plan.strategy) && (step.kind === "compute" || step.kind === "transfer"))
      throw this.#failure(at, `a step of kind ${step.kind} has no place in a plan of strategy ${this.#plan.strategy}`);
    if (step.kind === "transfer") this.#transfer(step, at);
    else if (step.kind === "scatter" || step.kind === "gather") this.#reshape(step, at);
    else if (step.kind === "compute") {
      if (step.parts.length !== this.#plan.devices)
        throw this.#failure(at, `has parts for ${step.parts.length} devices, the plan has ${this.#plan.devices}`);
      for (const [device, part] of step.parts.entries()) {
        if (part === null) continue;
        this.#outputs(operation, part, at);
        if (step.phase !== "finish") this.#reads(operation, readsOf(this.#program, operation, part), device, at);
        for (const [o, name] of operation.outputs.entries()) {
          for (const number of part.outputs[o] as readonly number[]) this.#make(name, number, device, step.phase, at);
        }
      }
    } else this.#cut(step, operation, at);
  }

  /** All devices have shares of the same ciphertexts. */
  #cut({ sharding, part }: CutStep, operation: Operation, at: number): void {
    this.#sharding(sharding, at);
    this.#outputs(operation, part, at);
    const reads = readsOf(this.#program, operation, part);
    for (const [device, held] of this.#held.entries()) {
      for (const [i, name] of operation.inputs.entries())
        for (const number of reads[i] as readonly number[])
          if (!held.has(`${sharesOf(name, sharding)} ${number}`))
            throw this.#failure(at, `device ${device} reads its share of ${name} ${number}, which it does not have`);
      for (const [o, name] of operation.outputs.entries())
        for (const number of part.outputs[o] as readonly number[])
          held.set(`${sharesOf(name, sharding)} ${number}`, this.#program.tensors[name]?.level ?? 0);
    }
  }

  /** Shares of what is whole on every device, or whole ciphertexts of everybody's shares. */
  #reshape({ kind, tensor, sharding, level, numbers }: ReshapeStep, at: number): void {
    this.#sharding(sharding, at);
    const [from, to] = kind === "scatter" ? [tensor, sharesOf(tensor, sharding)] : [sharesOf(tensor, sharding), tensor];
    for (const number of numbers) {
      this.#number(tensor, number, at);
      for (const [device, held] of this.#held.entries()) {
        const has = from === this.#program.input ? level : held.get(`${from} ${number}`);
        if (has === undefined || has < level)
          throw this.#failure(at, `device ${device} has no ${from} ${number} at level ${level}`);
        held.set(`${to} ${number}`, level);
      }
    }
  }

  #sharding(sharding: ShardingName, at: number): void {
    const { strategy } = this.#plan;
    const known = isCut(strategy) ? shardingsOf(strategy) : shardingNames.filter((name) => name !== "limb-oa");
    if (!known.includes(sharding)) throw this.#failure(at, `is cut by ${sharding}, which strategy ${strategy} is not`);
  }

  #outputs(operation: Operation, part: Part, at: number): void {
    if (part.outputs.length !== operation.outputs.length)
      throw this.#failure(
        at,
        `has ${part.outputs.length} outputs, ${operation.kind} makes ${operation.outputs.length}`,
      );
    for (const [o, name] of operation.outputs.entries())
      for (const number of part.outputs[o] as readonly number[]) this.#number(name, number, at);
  }

  /** The output is somewhere. */
  end(): void {
    const { output } = this.#program;
    for (const number of this.#all(output)) {
      const names = [output, ...shardingNames.map((sharding) => sharesOf(output, sharding))];
      if (!this.#held.some((held) => names.some((name) => held.has(`${name} ${number}`))))
        throw new AegisError("plan", `no device makes ${output}, the output of the program`);
    }
  }

  #transfer(step: TransferStep, at: number): void {
    const mark = step.form === "sums" ? "+" : "";
    for (const { from, to, indices } of step.moves) {
      for (const device of [from, ...to])
        if (device >= this.#plan.devices) throw this.#failure(at, `names device ${device} of ${this.#plan.devices}`);
      for (const number of indices) {
        this.#number(step.tensor, number, at);
        const level = this.#held[from]?.get(`${mark}${step.tensor} ${number}`);
        if (level === undefined || level < step.level)
          throw this.#failure(at, `device ${from} has no ${step.tensor} ${number} at level ${step.level} to send`);
        for (const device of to) this.#held[device]?.set(`${mark}${step.tensor} ${number}`, step.level);
      }
    }
  }

  #reads(operation: Operation, reads: readonly (readonly number[])[], device: number, at: number): void {
    for (const [i, name] of operation.inputs.entries()) {
      if (name === this.#program.input) continue; // the client's
      for (const number of reads[i] as readonly number[]) {
        if (!this.#held[device]?.has(`${name} ${number}`))
          throw this.#failure(at, `device ${device} reads ${name} ${number}, which it does not have`);
      }
    }
  }

  #make(name: string, number: number, device: number, phase: "whole" | "sums" | "finish", at: number): void {
    const held = this.#held[device] as Map<string, number>;
    if (phase === "finish" && !held.delete(`+${name} ${number}`))
      throw this.#failure(at, `device ${device} finishes ${name} ${number} without a sum of it`);
    const level = phase === "sums" ? 64 : (this.#program.tensors[name]?.level ?? 0);
    held.set(`${phase === "sums" ? "+" : ""}${name} ${number}`, level);
  }

  #all(name: string): number[] {
    const tensor = this.#program.tensors[name];
    return tensor === undefined ? [] : Array.from({ length: ciphertextsOf(tensor) }, (_, i) => i);
  }

  #number(name: string, number: number, at: number): void {
    const tensor = this.#program.tensors[name];
    if (tensor === undefined || number >= ciphertextsOf(tensor))
      throw this.#failure(at, `there is no ciphertext ${number} of ${name}`);
  }

  #failure(at: number, message: string): AegisError {
    const step = this.#plan.steps[at] as Step;
    const operation = this.#program.operations[step.operation];
    const place = operation === undefined ? "" : ` (${describeOperation(operation)})`;
    return new AegisError("plan", `plan: step ${at}${place}: ${message}`, {
      hint: "make it again with aegis plan --out",
    });
  }
}
