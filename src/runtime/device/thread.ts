/** A device in a thread of its own, with its own backend memory: the module that its worker runs. */

import { withPath } from "../../base/errors.ts";
import { Bootstrapper } from "../../circuits/index.ts";
import {
  type Ciphertext,
  Context,
  Evaluator,
  gatherCiphertext,
  KeyStore,
  Parameters,
  scatterCiphertext,
} from "../../ckks/index.ts";
import { type Backend, createReferenceBackend, createWasmBackend, shardedBackend } from "../../kernels/index.ts";
import { isCut, type Step } from "../../placement/index.ts";
import { slotsOf } from "../../program/index.ts";
import { Environment, weightsOf } from "../../transformer/index.ts";
import { CountingKeys } from "../counting-keys.ts";
import { type Device, serve } from "../threads/serve.ts";
import { boundaries } from "./boundaries.ts";
import { restoreState, saveState } from "./checkpoint-state.ts";
import type { DeviceInput, DeviceMessage, DeviceResult, DeviceStart } from "./messages.ts";
import { Runner } from "./runner.ts";
import { shardingOf } from "./sharding.ts";

serve({ run: (input: DeviceInput, device: Device) => run(input, device) });

async function run(input: DeviceInput, { endpoint, data, post }: Device): Promise<DeviceResult> {
  const start = data as DeviceStart;
  const { program, plan } = start;
  const { ledger } = endpoint;
  ledger.counting = false;
  const inner = await openBackend(start);
  const parameters = new Parameters(start.spec);
  const sharding = isCut(plan.strategy) ? shardingOf(plan.strategy, parameters) : undefined;
  const backend = sharding === undefined ? inner : shardedBackend(inner, endpoint.communicator, sharding);
  const context = new Context(parameters, backend);
  using keys = new KeyStore(context, { residentBytes: start.residentKeyBytes });
  for (const key of start.keys) keys.add(key);
  keys.expect(start.keySequence);
  let pulse = (): void => endpoint.beat();
  const counting = new CountingKeys(keys, () => pulse());
  endpoint.beat();
  const bootstraps = plan.steps.some(
    (step) => program.operations[step.operation]?.kind === "bootstrap" && names(step, endpoint.rank),
  );
  using bootstrapper = bootstraps ? new Bootstrapper(context, slotsOf(program.geometry)) : undefined;
  const environment = new Environment(new Evaluator(context, counting), program.geometry, program.length, bootstrapper);
  const runner = new Runner({
    program,
    plan,
    environment,
    constants: weightsOf(start.weights),
    endpoint,
    ...(sharding === undefined ? {} : { cut: environment }),
  });
  // Inside long operations: the device lives, and what is queued moves on.
  pulse = (): void => runner.pulse();
  let keyBytes = 0;
  const stops = new Set(input.checkpoint === undefined ? [] : boundaries(program, plan));
  const first = input.resume?.step ?? 0;
  if (input.resume === undefined) {
    for (const [i, number] of input.numbers.entries())
      runner.give(number, scatterCiphertext(context, input.ciphertexts[i] as (typeof input.ciphertexts)[number]));
  } else await restoreState(runner, context, input.resume.path);
  ledger.counting = true;
  for (let index = first; index < plan.steps.length; index++) {
    if (index > first && stops.has(index)) {
      runner.settle();
      ledger.counting = false;
      const saved = await saveState(runner, input.checkpoint as string, index, endpoint.rank);
      ledger.counting = true;
      post({ kind: "checkpoint", index, ...saved } satisfies DeviceMessage);
    }
    if (names(plan.steps[index] as Step, endpoint.rank)) post({ kind: "step", index } satisfies DeviceMessage);
    runner.step(index);
    keyBytes = Math.max(keyBytes, keys.memory().resident);
  }
  runner.settle();
  ledger.counting = false;
  // Of ciphertexts that are cut, the first device puts the shares together.
  const root = sharding === undefined ? endpoint.rank : 0;
  const numbers = root === endpoint.rank ? runner.outputNumbers() : [];
  const output = runner.takeOutput().map((ciphertext) => whole(ciphertext, program.output, root));
  const { peak } = inner.memory();
  runner.dispose();
  inner.dispose();
  return {
    numbers,
    output: root === endpoint.rank ? output : [],
    computeSeconds: runner.clock.compute,
    exposedSeconds: runner.clock.exposed,
    operations: Array.from(runner.clock.operations),
    peakBytes: peak,
    keyBytes,
    uses: counting.uses,
    sent: ledger.bytes,
  };
}

async function openBackend({ kind, memoryBytes }: DeviceStart): Promise<Backend> {
  return kind === "wasm"
    ? createWasmBackend({ maximumBytes: memoryBytes })
    : createReferenceBackend({ maximumBytes: memoryBytes });
}

/** The words of an output on device `root`, and its memory freed. */
function whole(ciphertext: Ciphertext, name: string, root: number) {
  using a = ciphertext;
  return withPath(name, () => gatherCiphertext(a, root));
}

/** Whether a step has work for a device. */
function names(step: Step, rank: number): boolean {
  if (step.kind === "compute") return step.parts[rank] !== null;
  return step.kind === "cut" || step.moves.some(({ from, to }) => from === rank || to.includes(rank));
}
