/** The simulator beside what others have measured. */
import { beforeAll, expect, test } from "vitest";
import { type CalibrationRow, calibrationRows } from "../../src/simulator/index.ts";

let rows: readonly CalibrationRow[];

beforeAll(async () => {
  rows = await calibrationRows();
});

const row = (what: RegExp): CalibrationRow => {
  const found = rows.filter((one) => what.test(one.what));
  expect(found).toHaveLength(1);
  return found[0] as CalibrationRow;
};

test("every row says what it is beside, from where, and how far off", () => {
  expect(new Set(rows.map(({ what }) => what)).size).toBe(rows.length);
  for (const { predicted, reference, error, source } of rows) {
    expect(predicted).toBeGreaterThan(0);
    expect(error).toBeCloseTo(predicted / reference - 1, 12);
    expect(source.length).toBeGreaterThan(10);
  }
  expect(rows.some(({ role }) => role === "forecast")).toBe(true);
});

test("what shares were fitted to is met", () => {
  for (const { role, error } of rows) if (role === "fit") expect(Math.abs(error)).toBeLessThan(0.1);
});

test.each([/A100 40 GB/, /H100 PCIe/, /35 limbs/, /input broadcast/])("%s is forecast within a quarter", (what) => {
  const { role, error } = row(what);
  expect(role).toBe("forecast");
  expect(Math.abs(error)).toBeLessThan(0.25);
});

test("cutting ciphertexts is far from four times as fast on four devices, keeping them whole is not", () => {
  for (const what of [/input broadcast/, /output aggregation/, /^limbs/]) expect(row(what).predicted).toBeLessThan(2);
  expect(row(/whole ciphertexts/).predicted).toBeGreaterThan(2.5);
});
