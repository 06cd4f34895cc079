/**
 * A backend that holds one device's share of every polynomial and makes the exchanges that each kernel
 * asks for. All ranks run the same program over it; what is written, drawn or computed
 * from numbers is given to every rank alike. Counts of kernel work and memory are those of the backend
 * below, on which each rank's share runs.
 */
import { invariant } from "../../base/validate.ts";
import type { Backend, MemoryReport, RingKernels } from "../backend.ts";
import { CoefficientRing } from "./coefficient-ring.ts";
import type { Communicator } from "./communicator.ts";
import { LimbRing } from "./limb-ring.ts";
import { PageTable } from "./pages.ts";
import { RepeatingRing } from "./repeating-ring.ts";
import type { Repeats } from "./repeats.ts";
import { checkRanks, type Placement, placement, type Sharding } from "./sharding.ts";

class ShardedBackend implements Backend {
  /** That of the backend below. */
  readonly name: string;
  readonly #inner: Backend;
  readonly #communicator: Communicator;
  readonly #sharding: Sharding;
  readonly #placement: Placement | undefined;
  readonly #repeats: Repeats | undefined;
  readonly #pages = new PageTable();
  readonly #rings = new Map<RingKernels, RingKernels>();
  /** Rings that lie whole on every rank, where they are counted. */
  readonly #whole = new Map<RingKernels, RingKernels>();

  constructor(inner: Backend, communicator: Communicator, sharding: Sharding, repeats: Repeats | undefined) {
    checkRanks(sharding, communicator.size);
    this.name = inner.name;
    this.#inner = inner;
    this.#communicator = communicator;
    this.#sharding = sharding;
    this.#repeats = repeats;
    this.#placement = sharding.name === "coefficient" ? undefined : placement(sharding, communicator.size);
  }

  memory(): MemoryReport {
    return this.#inner.memory();
  }

  onPressure(release: () => boolean): () => void {
    return this.#inner.onPressure(release);
  }

  onAllocate(watch: () => void): () => void {
    return this.#inner.onAllocate(watch);
  }

  ring(logN: number, moduli: readonly number[]): RingKernels {
    if (this.#placement === undefined) return this.#coefficientRing(logN, moduli);
    const inner = this.#inner.ring(logN, moduli);
    return this.#cached(inner, () => {
      return new LimbRing(this, inner, this.#pages, this.#placement as Placement, this.#communicator);
    });
  }

  /** Polynomials of the ring of the chain are cut; those of its subrings are small, every rank holds them. */
  #coefficientRing(logN: number, moduli: readonly number[]): RingKernels {
    const { chain } = this.#sharding;
    invariant(logN <= chain.logN, `coefficients are cut at degree 2^${chain.logN}, not at 2^${logN}`);
    if (logN < chain.logN || this.#communicator.size === 1) {
      const inner = this.#inner.ring(logN, moduli);
      return this.#repeats === undefined ? inner : this.#cached(inner, () => inner, this.#whole);
    }
    const part = this.#inner.ring(logN - Math.log2(this.#communicator.size), moduli);
    return this.#cached(
      part,
      () => new CoefficientRing(this, part, this.#inner.ring(logN, moduli), this.#communicator),
    );
  }

  #cached(inner: RingKernels, make: () => RingKernels, rings = this.#rings): RingKernels {
    let ring = rings.get(inner);
    if (ring === undefined) {
      ring = this.#repeats === undefined ? make() : new RepeatingRing(make(), this.#repeats);
      rings.set(inner, ring);
    }
    return ring;
  }

  dispose(): void {
    this.#rings.clear();
    this.#inner.dispose();
  }
}

/**
 * One rank's backend.
 *
 * @param inner where this rank's share lies and runs; the null backend with a communicator that only counts
 * @param sharding the same on every rank
 * @param repeats counts of what is done again and again on `inner`, a null backend, whose memory in use means nothing then
 * @throws AegisError `plan` for a number of ranks that the sharding cannot have
 */
export function shardedBackend(
  inner: Backend,
  communicator: Communicator,
  sharding: Sharding,
  { repeats }: { readonly repeats?: Repeats } = {},
): Backend {
  return new ShardedBackend(inner, communicator, sharding, repeats);
}
