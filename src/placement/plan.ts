/**
 * A plan: a program with a device for every ciphertext, collectives where couplings ask for them, and
 * one order that all devices follow, each taking the steps that name it. The executor runs it, the
 * timeline plays it; both read nothing else.
 */
import type { CollectiveName, ShardingName } from "../kernels/index.ts";
import type { Part } from "../program/index.ts";
import type { StrategyName } from "./strategies.ts";

/** What a compute step does with its operation: all of it, partial sums only, or what follows them. */
export type Phase = "whole" | "sums" | "finish";

/** One operation, or a part of it, on the devices that have a part. */
export interface ComputeStep {
  readonly kind: "compute";
  /** Index into the program's operations. */
  readonly operation: number;
  readonly phase: Phase;
  /** By device; null where it has nothing to do. */
  readonly parts: readonly (Part | null)[];
}

/** Ciphertexts of a tensor from one device to others. */
export interface Move {
  readonly from: number;
  readonly to: readonly number[];
  /** Numbers of the ciphertexts, ascending. */
  readonly indices: readonly number[];
}

/** A collective: ciphertexts, or partial sums that the receiver adds up. */
export interface TransferStep {
  readonly kind: "transfer";
  readonly collective: CollectiveName;
  /** The operation that first asks for what travels; for sums, the one they belong to. */
  readonly operation: number;
  readonly tensor: string;
  readonly form: "ciphertexts" | "sums";
  /** Level that ciphertexts are sent at: the highest that a receiver reads them at. */
  readonly level: number;
  readonly moves: readonly Move[];
  /** Bytes of one ciphertext or sum on the wire. */
  readonly unitBytes: number;
}

/**
 * An operation, or a chunk of its results, on ciphertexts that are cut: every device runs it on its
 * share of every polynomial, and communicates inside.
 */
export interface CutStep {
  readonly kind: "cut";
  readonly operation: number;
  /** How polynomials are shared out. */
  readonly sharding: ShardingName;
  readonly part: Part;
  /** Bytes that all devices send, by collective. */
  readonly bytes: Readonly<Partial<Record<CollectiveName, number>>>;
}

export type Step = ComputeStep | TransferStep | CutStep;

/** Part of a model that bytes are counted for. */
export type ModuleName = "feedForward" | "selfAttention" | "other";

export const moduleNames = ["feedForward", "selfAttention", "other"] as const satisfies readonly ModuleName[];

export interface Plan {
  readonly format: 1;
  readonly strategy: StrategyName;
  readonly devices: number;
  /** Whether transfers start as soon as their data is there, or only when it is asked for. */
  readonly overlap: boolean;
  /** SHA-256 of the program. */
  readonly program: string;
  readonly preset: string;
  readonly steps: readonly Step[];
}

/** The module that an operation belongs to; layer norms go with the block before them. */
export function moduleOf(path: readonly string[]): ModuleName {
  const block = path[1] ?? "";
  if (block === "attention" || block === "attention norm") return "selfAttention";
  return block === "feed-forward" || block === "output norm" ? "feedForward" : "other";
}

/** Bytes that a step sends, once for every receiver. */
export function bytesOf(step: Step): number {
  if (step.kind === "compute") return 0;
  if (step.kind === "cut") return Object.values(step.bytes).reduce((sum, bytes) => sum + bytes, 0);
  return step.moves.reduce((sum, { to, indices }) => sum + to.length * indices.length, 0) * step.unitBytes;
}
