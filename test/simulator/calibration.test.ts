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

test("what was fitted is met within a quarter, kernels within a tenth", () => {
  for (const { role, error, unit } of rows)
    if (role === "fit") expect(Math.abs(error)).toBeLessThan(unit === "s" ? 0.1 : 0.25);
});

test("forecasts are within a quarter", () => {
  const forecasts = rows.filter(({ role }) => role === "forecast");
  expect(forecasts.length).toBeGreaterThan(3);
  for (const { what, error } of forecasts) expect([what, Math.abs(error) < 0.25]).toEqual([what, true]);
});

test("of a range the reference is what is nearest", () => {
  for (const { predicted, reference, range } of rows)
    if (range !== undefined) expect(reference).toBe(Math.min(Math.max(predicted, range[0]), range[1]));
});

test("cutting ciphertexts is far from four times as fast on four devices, keeping them whole is not", () => {
  for (const what of [/input broadcast/, /output aggregation/, /^limbs/]) expect(row(what).predicted).toBeLessThan(1.5);
  expect(row(/whole ciphertexts/).predicted).toBeGreaterThan(3.5);
});
