/**
 * The precision contract: bits measured by the tests against the bits stored in
 * test/vectors/ckks/precision/. A loss of half a bit fails. `PRECISION=print` shows the table,
 * `PRECISION=store` writes what was measured.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import type { Precision } from "./ckks.ts";

const folder = new URL("../vectors/ckks/precision/", import.meta.url);
const tolerance = 0.5;

type Table = Record<string, Precision>;

/** Collects the measurements of one test file; several of one name are joined. */
export class PrecisionTable {
  readonly #group: string;
  readonly #rows = new Map<string, Precision[]>();

  constructor(group: string) {
    this.#group = group;
  }

  add(name: string, measured: Precision): void {
    const row = this.#rows.get(name) ?? [];
    row.push(measured);
    this.#rows.set(name, row);
  }

  /** Fails when a row is half a bit below the stored one, or has none. */
  check(): void {
    const measured: Record<string, Precision> = {};
    for (const [name, row] of this.#rows) {
      measured[name] = {
        mean: round(row.reduce((sum, { mean }) => sum + mean, 0) / row.length),
        minimum: round(Math.min(...row.map(({ minimum }) => minimum))),
      };
    }
    const file = new URL(`${this.#group}.json`, folder);
    const mode = process.env.PRECISION;
    const stored = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Table) : {};
    if (mode === "print" || mode === "store") {
      const lines = Object.entries(measured).map(([name, { mean, minimum }]) => {
        const old = stored[name];
        const before = old === undefined ? "" : `   stored ${old.mean.toFixed(1)} / ${old.minimum.toFixed(1)}`;
        return `  ${name.padEnd(44)} mean ${mean.toFixed(1)}  minimum ${minimum.toFixed(1)}${before}`;
      });
      console.log(`${this.#group}, bits\n${lines.join("\n")}`);
    }
    if (mode === "store") {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, `${JSON.stringify(measured, null, 2)}\n`);
      return;
    }
    for (const [name, { mean, minimum }] of Object.entries(measured)) {
      const floor = stored[name];
      expect(floor, `${this.#group}: no stored precision of ${name}; run with PRECISION=store`).toBeDefined();
      expect(mean, `${this.#group}: mean bits of ${name}`).toBeGreaterThan((floor as Precision).mean - tolerance);
      expect(minimum, `${this.#group}: minimum bits of ${name}`).toBeGreaterThan(
        (floor as Precision).minimum - tolerance,
      );
    }
  }
}

function round(bits: number): number {
  return Math.round(bits * 100) / 100;
}
