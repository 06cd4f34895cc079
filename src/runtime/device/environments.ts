/**
 * What a device evaluates operations with: one environment for whole ciphertexts, and one for each
 * sharding that its plan cuts ciphertexts by. All of them lie in the same backend memory.
 */
import { Bootstrapper } from "../../circuits/index.ts";
import { Context, Evaluator, type KeySource, type Parameters } from "../../ckks/index.ts";
import { type Backend, type ShardingName, shardedBackend } from "../../kernels/index.ts";
import { type Plan, type Step, shardingsIn } from "../../placement/index.ts";
import { type Program, slotsOf } from "../../program/index.ts";
import { Environment } from "../../transformer/index.ts";
import type { Endpoint } from "../fabric/endpoint.ts";

/** Of whole ciphertexts, or of those cut by a sharding. */
export type Form = ShardingName | "whole";

export interface Environments extends Disposable {
  readonly whole: Environment;
  readonly cuts: ReadonlyMap<ShardingName, Environment>;
  /** The context that a ciphertext of this name in what the device holds belongs to. */
  context(form: Form): Context;
}

export interface EnvironmentSetting {
  readonly program: Program;
  readonly plan: Plan;
  readonly parameters: Parameters;
  readonly backend: Backend;
  readonly endpoint: Endpoint;
  readonly keys: (context: Context, form: Form) => KeySource;
  /** A bootstrapping whose transforms are laid out again where values do not matter. */
  readonly like?: Bootstrapper | undefined;
}

/** Communicates, uncounted: all devices of a plan call it together. */
export function openEnvironments(setting: EnvironmentSetting): Environments {
  const { program, plan, parameters, backend, endpoint, keys, like } = setting;
  const { ledger, rank } = endpoint;
  const counting = ledger.counting;
  ledger.counting = false;
  const made: Disposable[] = [];
  const open = (form: Form): Environment => {
    const sharded =
      form === "whole" ? backend : shardedBackend(backend, endpoint.communicator, { name: form, chain: parameters });
    const context = new Context(parameters, sharded);
    const evaluator = new Evaluator(context, keys(context, form));
    let bootstrapper: Bootstrapper | undefined;
    if (plan.steps.some((step) => program.operations[step.operation]?.kind === "bootstrap" && runs(step, form, rank))) {
      bootstrapper = new Bootstrapper(context, slotsOf(program.geometry), like);
      made.push(bootstrapper);
    }
    return new Environment(evaluator, program.geometry, program.length, bootstrapper);
  };
  const whole = open("whole");
  const cuts = new Map(shardingsIn(plan).map((sharding) => [sharding, open(sharding)]));
  ledger.counting = counting;
  return {
    whole,
    cuts,
    context: (form) => (form === "whole" ? whole : (cuts.get(form) as Environment)).evaluator.context,
    [Symbol.dispose]: () => {
      for (const one of made) one[Symbol.dispose]();
    },
  };
}

/** Whether a device has something of a step to compute in this form. */
function runs(step: Step, form: Form, rank: number): boolean {
  if (step.kind === "cut") return step.sharding === form;
  return step.kind === "compute" && form === "whole" && step.parts[rank] !== null;
}
