/**
 * Virtual memory of a rank: limbs have addresses on every rank, memory only where they are held.
 * Every allocation has a span of addresses of its own, numbered one after another and never used
 * twice (2^27 of them last), so that all ranks give out the same ones and a page is found by its number.
 */
import { AegisError } from "../../base/errors.ts";
import { invariant } from "../../base/validate.ts";
import type { RingKernels } from "../backend.ts";
import { type Layout, unwritten } from "./layout.ts";

/** Consecutive limbs of backend memory, given back with the last page that lies in them. */
interface Block {
  readonly address: number;
  readonly limbs: number;
  pages: number;
}

/** One limb: its layout, and its place in backend memory if it has one. */
export class Page {
  layout: Layout = unwritten;
  readonly kernels: RingKernels;
  block: Block | undefined;
  address = -1;

  /** @param kernels of the ring whose memory it lies in */
  constructor(kernels: RingKernels) {
    this.kernels = kernels;
  }

  /** Gives its memory back. */
  drop(): void {
    const { block } = this;
    if (block === undefined) return;
    this.block = undefined;
    this.address = -1;
    block.pages--;
    if (block.pages === 0) this.kernels.release(block.address, block.limbs);
  }
}

/** Addresses of one allocation. */
const spanBytes = 2 ** 26;

/** Pages of one allocation, `unit` apart, those that were asked for so far. */
interface Span {
  readonly kernels: RingKernels;
  readonly limbs: number;
  readonly unit: number;
  readonly pages: (Page | undefined)[];
}

export class PageTable {
  readonly #spans = new Map<number, Span>();
  #next = 1;

  /** Address of `limbs` new pages, `unit` apart. */
  allocate(kernels: RingKernels, limbs: number, unit: number): number {
    invariant(limbs * unit <= spanBytes, `${limbs} limbs do not fit into a span of ${spanBytes} bytes`);
    const number = this.#next++;
    this.#spans.set(number, { kernels, limbs, unit, pages: [] });
    return number * spanBytes;
  }

  /** Gives back all of an allocation. */
  release(address: number): void {
    const number = Math.floor(address / spanBytes);
    for (const page of this.#spans.get(number)?.pages ?? []) page?.drop();
    this.#spans.delete(number);
  }

  at(address: number): Page {
    const number = Math.floor(address / spanBytes);
    const span = this.#spans.get(number);
    const index = span === undefined ? -1 : (address - number * spanBytes) / span.unit;
    if (span === undefined || !Number.isInteger(index) || index >= span.limbs)
      throw new AegisError("internal", `no limb is at virtual address ${address}`);
    let page = span.pages[index];
    if (page === undefined) {
      page = new Page(span.kernels);
      span.pages[index] = page;
    }
    return page;
  }

  /** Whether so many limbs that follow one another pass; those that nobody asked for yet are `unwritten`. */
  every(address: number, limbs: number, passes: (layout: Layout, i: number) => boolean): boolean {
    const number = Math.floor(address / spanBytes);
    const span = this.#spans.get(number);
    if (span === undefined || span.pages.length === 0) return passes(unwritten, 0);
    const first = (address - number * spanBytes) / span.unit;
    for (let i = 0; i < limbs; i++) if (!passes(span.pages[first + i]?.layout ?? unwritten, i)) return false;
    return true;
  }
}

/** Gives memory to those pages of one ring that have none, side by side. */
export function hold(pages: readonly Page[]): void {
  const missing = pages.filter((page) => page.block === undefined);
  const first = missing[0];
  if (first === undefined) return;
  const address = first.kernels.allocate(missing.length);
  const block: Block = { address, limbs: missing.length, pages: missing.length };
  for (const [i, page] of missing.entries()) {
    page.block = block;
    page.address = address + i * page.kernels.limbStride;
  }
}
