/** What the main thread and device threads say to each other. Everything can be posted. */
import type { EvaluationKey, KeyName, ParametersSpec, WholeCiphertext } from "../../ckks/index.ts";
import type { DeviceSpec } from "../../kernels/index.ts";
import type { Plan } from "../../placement/index.ts";
import type { Program } from "../../program/index.ts";
import type { WeightSource } from "../../transformer/index.ts";
import type { KeyUses } from "../counting-keys.ts";
import type { SentBytes } from "../fabric/ledger.ts";
import type { Form } from "./environments.ts";
import type { Activity } from "./recorder.ts";

/** A device of a plan: what it runs on, its memory, its threads. */
export interface DeviceSetup extends DeviceSpec {
  /** Backend memory. */
  readonly memoryBytes: number;
  /** That it shares its kernels over; only native devices have more than one. */
  readonly threads: number;
}

/** What a device thread is started with. */
export interface DeviceStart {
  readonly device: DeviceSetup;
  readonly spec: ParametersSpec;
  readonly program: Program;
  readonly plan: Plan;
  readonly weights: WeightSource;
  /** Keys that this device uses; their words may lie in memory that devices share. */
  readonly keys: readonly EvaluationKey[];
  /** For whole ciphertexts and for those that are cut: names in the order of use, and the memory that they may take. */
  readonly keyUses: readonly {
    readonly form: Form;
    readonly names: readonly KeyName[];
    readonly residentBytes: number;
  }[];
  /** See {@link DeviceSetting} of the runner. */
  readonly releaseTransforms: boolean;
  /** When the run began, in milliseconds since 1970. */
  readonly began: number;
  /** Whether to note what the device does when. */
  readonly recording: boolean;
}

/** Ciphertexts of the program's input that a device reads. */
export interface DeviceInput {
  readonly numbers: readonly number[];
  readonly ciphertexts: readonly WholeCiphertext[];
  /** Step to begin with, and what the device held there. */
  readonly resume?: { readonly step: number; readonly path: string };
  /** Directory for checkpoints. */
  readonly checkpoint?: string;
}

/** A step begins. */
export interface StepMessage {
  readonly kind: "step";
  readonly index: number;
}

/** A device has written what it holds before step `index`. */
export interface CheckpointMessage {
  readonly kind: "checkpoint";
  readonly index: number;
  readonly file: string;
  readonly digest: string;
}

export type DeviceMessage = StepMessage | CheckpointMessage;

/** What a device says when it is done. */
export interface DeviceResult {
  /** Ciphertexts of the program's output that this device has. */
  readonly numbers: readonly number[];
  readonly output: readonly WholeCiphertext[];
  /** From the beginning of the run to the first step. */
  readonly setupSeconds: number;
  readonly computeSeconds: number;
  readonly exposedSeconds: number;
  /** Seconds of computing by operation. */
  readonly operations: readonly number[];
  /** Most bytes of backend memory, keys among them. */
  readonly peakBytes: number;
  /** Most bytes of ciphertexts and sums, beside what operations work with. */
  readonly activationBytes: number;
  /** Most bytes of it beside resident keys. */
  readonly workBytes: number;
  readonly uses: KeyUses;
  readonly sent: SentBytes;
  /** Empty unless it was asked for. */
  readonly activities: readonly Activity[];
}
