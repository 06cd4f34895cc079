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
import { type CutStrategy, cutStrategies, type Step } from "../../placement/index.ts";
import { slotsOf } from "../../program/index.ts";
import { Environment, weightsOf } from "../../transformer/index.ts";
import { CountingKeys } from "../counting-keys.ts";
import { type Device, serve } from "../threads/serve.ts";
import { boundaries } from "./boundaries.ts";
import { restoreState, saveState } from "./checkpoint-state.ts";
import type { DeviceInput, DeviceMessage, DeviceResult, DeviceStart } from "./messages.ts";
import { Runner } from "./runner.ts";
import { shardingOf } from "./sharding.ts";

const pulseMilliseconds = 2;
const beatMilliseconds = 500;

serve({ run: (input: DeviceInput, device: Device) => run(input, device) });

async function run(input: DeviceInput, { endpoint, data, post }: Device): Promise<DeviceResult> {
  const start = data as DeviceStart;
  const { program, plan } = start;
  const inner = await openBackend(start);
  const parameters = new Parameters(start.spec);
  const cut = (cutStrategies as readonly string[]).includes(plan.strategy);
  const backend = cut
    ? shardedBackend(inner, endpoint.communicator, shardingOf(plan.strategy as CutStrategy, parameters))
    : inner;
  const context = new Context(parameters, backend);
  using keys = new KeyStore(context, { residentBytes: start.residentKeyBytes });
  for (const key of start.keys) keys.add(key);
  keys.expect(start.keySequence);
  let pulse = (): void => endpoint.beat();
  // Inside long operations: the device lives, and what is queued moves on.
  inner.onAllocate(paced(() => pulse()));
  const counting = new CountingKeys(keys);
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
    ...(cut ? { cut: environment } : {}),
  });
  pulse = (): void => runner.pulse();
  let keyBytes = 0;
  const stops = new Set(input.checkpoint === undefined ? [] : boundaries(program, plan));
  const first = input.resume?.step ?? 0;
  if (input.resume === undefined) {
    for (const [i, number] of input.numbers.entries())
      runner.give(number, scatterCiphertext(context, input.ciphertexts[i] as (typeof input.ciphertexts)[number]));
  } else await restoreState(runner, context, input.resume.path);
  const setupSeconds = (performance.timeOrigin + performance.now() - start.began) / 1000;
  for (let index = first; index < plan.steps.length; index++) {
    if (index > first && stops.has(index)) {
      runner.settle();
      // The disk may take its time, and the device lives.
      const beating = setInterval(() => endpoint.beat(), beatMilliseconds);
      const saved = await saveState(runner, input.checkpoint as string, index, endpoint.rank).finally(() =>
        clearInterval(beating),
      );
      post({ kind: "checkpoint", index, ...saved } satisfies DeviceMessage);
    }
    if (names(plan.steps[index] as Step, endpoint.rank)) post({ kind: "step", index } satisfies DeviceMessage);
    runner.step(index);
    keyBytes = Math.max(keyBytes, keys.memory().resident);
  }
  runner.settle();
  const sent = endpoint.ledger.bytes; // what leaves for the client is not between devices
  const numbers = runner.outputNumbers();
  const output = runner.takeOutput().map((ciphertext) => whole(ciphertext, program.output));
  const { peak } = inner.memory();
  runner.dispose();
  inner.dispose();
  return {
    numbers,
    output,
    setupSeconds,
    computeSeconds: runner.clock.compute,
    exposedSeconds: runner.clock.exposed,
    operations: Array.from(runner.clock.operations),
    peakBytes: peak,
    keyBytes,
    uses: counting.uses,
    sent,
  };
}

async function openBackend({ kind, memoryBytes }: DeviceStart): Promise<Backend> {
  return kind === "wasm"
    ? createWasmBackend({ maximumBytes: memoryBytes })
    : createReferenceBackend({ maximumBytes: memoryBytes });
}

/** Calls `body` at most once in {@link pulseMilliseconds}: polynomials are allocated thousands of times a second. */
function paced(body: () => void): () => void {
  let next = 0;
  return () => {
    const now = performance.now();
    if (now < next) return;
    next = now + pulseMilliseconds;
    body();
  };
}

/** The words of an output, and its memory freed. */
function whole(ciphertext: Ciphertext, name: string) {
  using a = ciphertext;
  return withPath(name, () => gatherCiphertext(a));
}

/** Whether a step has work for a device. */
function names(step: Step, rank: number): boolean {
  if (step.kind === "compute") return step.parts[rank] !== null;
  return step.kind === "cut" || step.moves.some(({ from, to }) => from === rank || to.includes(rank));
}
