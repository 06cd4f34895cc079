/**
 * The memory side of the kernels of a limb sharding: views of virtual limbs, what this rank holds of
 * them, and the exchanges between ranks.
 */
import { invariant } from "../../base/validate.ts";
import type { Limbs, RingKernels } from "../backend.ts";
import type { Communicator } from "./communicator.ts";
import type { Exchanges } from "./exchanges.ts";
import { asPartial, cutAt, isHeldBy, isPartial, type Layout, unwritten, whole } from "./layout.ts";
import { type Item, LimbExchange } from "./limb-exchange.ts";
import { hold, type Page, type PageTable } from "./pages.ts";
import type { Placement } from "./sharding.ts";
import { heldKeyLimbs } from "./shares.ts";

export class LimbMemory implements Exchanges {
  readonly inTransforms = false;
  readonly inner: RingKernels;
  readonly placement: Placement;
  readonly rank: number;
  /** Virtual distance of limbs: what a limb takes on a rank on average. */
  readonly unit: number;
  readonly exchange: LimbExchange;
  readonly #pages: PageTable;
  readonly #communicator: Communicator;
  readonly #singles: readonly (readonly number[])[];
  /** Layouts of what is stored, by prime. */
  readonly #plain: readonly Layout[];
  /** Where what is written lies, while the key of one digit is loaded. */
  #loading: Layout = unwritten;

  constructor(inner: RingKernels, pages: PageTable, placement: Placement, communicator: Communicator) {
    this.inner = inner;
    this.placement = placement;
    this.rank = communicator.rank;
    this.unit = Math.ceil(inner.limbStride * placement.share);
    this.exchange = new LimbExchange(inner, communicator);
    this.#pages = pages;
    this.#communicator = communicator;
    this.#plain = inner.moduli.map((_, modulus) => placement.stored(modulus));
    this.#singles = inner.moduli.map((_, modulus) => Object.freeze([modulus]));
  }

  get size(): number {
    return this.#communicator.size;
  }

  /** See {@link Communicator.moves}. */
  get moves(): boolean {
    return this.#communicator.moves;
  }

  allocate(limbs: number): number {
    return this.#pages.allocate(this.inner, limbs, this.unit);
  }

  release(address: number): void {
    this.#pages.release(address);
  }

  /** Layout of what is loaded, drawn or set to zero. */
  stored(modulus: number): Layout {
    return this.#loading === unwritten ? this.placement.stored(modulus) : this.#loading;
  }

  /** Layout of what every rank can compute by itself. */
  known(modulus: number): Layout {
    return this.#loading === unwritten ? this.placement.known(modulus) : this.#loading;
  }

  page(x: Limbs, i: number, unit: number = this.unit): Page {
    return this.#pages.at(x.address + i * unit);
  }

  /**
   * Layouts of operands. What was never written (the null backend skips uploads of numbers) counts as
   * `missing`.
   */
  layouts(x: Limbs, unit = this.unit, missing = (modulus: number) => this.stored(modulus)): Layout[] {
    const { moduli } = x;
    const layouts = new Array<Layout>(moduli.length);
    for (let i = 0; i < moduli.length; i++) {
      const page = this.page(x, i, unit);
      if (page.layout === unwritten) {
        page.layout = missing(moduli[i]);
        if (isHeldBy(page.layout, this.rank)) hold([page]);
      }
      layouts[i] = page.layout;
    }
    return layouts;
  }

  /** See {@link ShardedKernels.isPlain}. */
  isPlain(x: Limbs): boolean {
    // Of sums over gadget digits each rank has a share of its own.
    if (this.placement.aggregates || this.#loading !== unwritten) return false;
    const { moduli } = x;
    return this.#pages.every(
      x.address,
      moduli.length,
      (layout, i) => layout === unwritten || layout === this.#plain[moduli[i]],
    );
  }

  /** Lays limbs out; those that this rank holds get memory. */
  lay(x: Limbs, layouts: readonly Layout[]): void {
    const missing: Page[] = [];
    for (let i = 0; i < layouts.length; i++) {
      const page = this.page(x, i);
      page.layout = layouts[i];
      if (page.block === undefined && isHeldBy(layouts[i], this.rank)) missing.push(page);
    }
    if (missing.length > 0) hold(missing);
  }

  /** Limb i in the memory of the backend. */
  limb(x: Limbs, i: number, unit: number = this.unit): Limbs {
    return { address: this.page(x, i, unit).address, moduli: this.single(x.moduli[i]) };
  }

  single(modulus: number): readonly number[] {
    return this.#singles[modulus];
  }

  /** The limbs with these indices in the memory of the backend, if they lie side by side there. */
  adjacent(x: Limbs, indices: readonly number[]): Limbs | undefined {
    const first = this.page(x, indices[0]).address;
    const together = indices.every((index, k) => this.page(x, index).address === first + k * this.inner.limbStride);
    return together ? { address: first, moduli: indices.map((index) => x.moduli[index]) } : undefined;
  }

  /** Limb i of limbs that lie side by side in the memory of the backend. */
  nth(limbs: Limbs, i: number): Limbs {
    return { address: limbs.address + i * this.inner.limbStride, moduli: this.single(limbs.moduli[i]) };
  }

  /** Calls `body` with backend memory for limbs of these moduli. */
  workspace<T>(moduli: readonly number[], body: (limbs: Limbs) => T): T {
    const address = this.inner.allocate(moduli.length);
    try {
      return body({ address, moduli });
    } finally {
      this.inner.release(address, moduli.length);
    }
  }

  items(x: Limbs): Item[] {
    return x.moduli.map((modulus, i) => ({ page: this.page(x, i), modulus }));
  }

  /** Writes what came from another rank, if anything moves. */
  put(limb: Limbs, words: Uint32Array | undefined): void {
    if (words !== undefined) this.inner.write(limb, 0, words);
  }

  beforeModUp(x: Limbs): void {
    if (!this.placement.aggregates) {
      this.replicate(x);
      return;
    }
    // Each digit is at home on one rank, which raises it alone: a sum over ranks from here on.
    for (const { page } of this.items(x)) page.layout = asPartial(page.layout);
  }

  afterModDown(x: Limbs): void {
    const sums = this.items(x).filter(({ page }) => isPartial(page.layout));
    if (sums.length === 0) return;
    const { home } = this.placement;
    const own = sums.filter(({ modulus }) => home(modulus) === this.rank);
    const empty = new Set(own.map(({ page }) => page).filter((page) => !isHeldBy(page.layout, this.rank)));
    hold([...empty]);
    this.workspace([0], ({ address }) => {
      this.exchange.reduceScatter(sums, home, (index, words) => {
        const { page, modulus } = sums[index];
        const limb = { address: page.address, moduli: this.single(modulus) };
        if (empty.delete(page)) {
          this.put(limb, words);
          return;
        }
        const summand = { address, moduli: limb.moduli };
        this.put(summand, words);
        this.inner.add(limb, limb, summand);
      });
    });
    for (const { page, modulus } of sums) {
      page.layout = cutAt(home(modulus));
      if (home(modulus) !== this.rank) page.drop();
    }
  }

  replicate(x: Limbs): void {
    const cut = this.items(x).filter(({ page }) => page.layout !== whole);
    hold(cut.map(({ page }) => page));
    this.exchange.gather(cut, (index, words) => {
      const { page, modulus } = cut[index];
      this.put({ address: page.address, moduli: this.single(modulus) }, words);
    });
    for (const { page } of cut) page.layout = whole;
  }

  keyLimbs(moduli: readonly number[], digit: number): number {
    const held = heldKeyLimbs(this.placement, this.size, this.rank, moduli, digit);
    return (held * this.inner.limbStride) / this.unit;
  }

  ofDigit<T>(digit: number, load: () => T): T {
    if (!this.placement.aggregates) return load();
    invariant(this.#loading === unwritten, "keys of two digits are being loaded");
    this.#loading = asPartial(cutAt(digit % this.#communicator.size));
    try {
      return load();
    } finally {
      this.#loading = unwritten;
    }
  }
}
