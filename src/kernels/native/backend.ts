/**
 * The native backend: a Node-API addon with AVX-512, AVX2 and portable kernels, memory as large as the host
 * has it, and threads that share each kernel call.
 */
import { AegisError } from "../../base/errors.ts";
import { integerIn } from "../../base/validate.ts";
import type { Backend, MemoryReport, RingKernels } from "../backend.ts";
import { Rings } from "../rings.ts";
import { NativeCore } from "./core.ts";
import { loadAddon, type Machine } from "./load.ts";
import { NativeRing } from "./ring.ts";

/** Instruction sets that kernels are compiled for, the best first. */
export const instructionSets = ["amx", "avx512ifma", "avx512", "avx2", "portable"] as const;
export type InstructionSet = (typeof instructionSets)[number];

export interface NativeBackendOptions {
  /** Memory limit in bytes; four fifths of what the process may use by default. Taken only as it is used. */
  readonly maximumBytes?: number;
  /** The best that the processor has by default. */
  readonly instructions?: InstructionSet;
  /** Threads that share a kernel, the calling one among them; one by default. */
  readonly threads?: number;
}

/** Bytes that a native device may take: four fifths of the host's memory, or of its container's. */
export async function hostBytes(): Promise<number> {
  const { totalmem } = await import("node:os");
  const constrained = process.constrainedMemory?.() ?? 0;
  const bytes = constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
  return Math.floor((0.8 * bytes) / 64) * 64;
}

/** A backend of the addon; `instructions` and `threads` are what it has. */
export class NativeBackend implements Backend {
  readonly name = "native";
  readonly instructions: InstructionSet;
  readonly threads: number;
  readonly #core: NativeCore;
  readonly #rings = new Rings((logN, moduli) => new NativeRing(this, this.#core, logN, moduli));

  constructor(machine: Machine, maximumBytes: number) {
    this.#core = new NativeCore(machine, maximumBytes);
    this.instructions = machine.instructions as InstructionSet;
    this.threads = machine.threads;
  }

  memory(): MemoryReport {
    return this.#core.allocator.report();
  }

  onPressure(release: () => boolean): () => void {
    return this.#core.allocator.onPressure(release);
  }

  onAllocate(watch: () => void): () => void {
    return this.#core.allocator.onAllocate(watch);
  }

  ring(logN: number, moduli: readonly number[]): RingKernels {
    return this.#rings.get(logN, moduli);
  }

  dispose(): void {
    this.#rings.clear();
    this.#core.dispose();
  }
}

/** Instruction sets that this processor has, the best first. Throws `device` where the addon was not built. */
export async function availableInstructionSets(): Promise<InstructionSet[]> {
  return (await loadAddon()).instructionSets() as InstructionSet[];
}

/** Throws `device` where the addon is not there or the processor lacks the instructions, `memory` when none is given. */
export async function createNativeBackend(options: NativeBackendOptions = {}): Promise<NativeBackend> {
  const addon = await loadAddon();
  const most = 2 ** 46;
  const maximumBytes = integerIn("maximumBytes", options.maximumBytes ?? (await hostBytes()), 2 ** 18, most);
  const threads = integerIn("threads", options.threads ?? 1, 1, 256);
  try {
    return new NativeBackend(addon.open(maximumBytes, options.instructions ?? "", threads), maximumBytes);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "instructions") {
      throw new AegisError("device", `native: this processor has no ${options.instructions}`, {
        hint: `it has ${addon.instructionSets().join(", ")}`,
        cause: error,
      });
    }
    if (code === "memory") {
      throw new AegisError("memory", `native: the system refuses to reserve ${maximumBytes} bytes`, {
        hint: "give a smaller memory limit",
        cause: error,
      });
    }
    throw error;
  }
}
