/**
 * Virtual memory of a rank: limbs have addresses on every rank, memory only where they are held.
 * Addresses are never used twice (2^53 of them last), so that all ranks give out the same ones.
 */
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

export class PageTable {
  readonly #pages = new Map<number, Page>();
  #next = 64;

  /** Address of `limbs` new pages, `unit` apart. */
  allocate(kernels: RingKernels, limbs: number, unit: number): number {
    const address = this.#next;
    for (let i = 0; i < limbs; i++) this.#pages.set(address + i * unit, new Page(kernels));
    this.#next += Math.max(1, limbs) * unit;
    return address;
  }

  release(address: number, limbs: number, unit: number): void {
    for (let i = 0; i < limbs; i++) {
      this.at(address + i * unit).drop();
      this.#pages.delete(address + i * unit);
    }
  }

  at(address: number): Page {
    const page = this.#pages.get(address);
    invariant(page !== undefined, `no limb is at virtual address ${address}`);
    return page;
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
