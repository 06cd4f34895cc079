import { expect, test } from "vitest";
import { Clock } from "./clock.ts";

function spend(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test("communication inside of computing is not computing", () => {
  const clock = new Clock(2, () => 0);
  clock.computing(1, () => {
    spend(20);
    clock.communicating(() => spend(30));
  });
  clock.communicating(() => spend(10));
  expect(clock.compute).toBeGreaterThanOrEqual(0.02);
  expect(clock.exposed).toBeGreaterThanOrEqual(0.04);
  expect([...clock.operations]).toEqual([0, clock.compute]);
});

test("communication inside of communication counts once", () => {
  const clock = new Clock(1, () => 0);
  const start = performance.now();
  clock.communicating(() => clock.communicating(() => spend(20)));
  expect(clock.exposed).toBeGreaterThanOrEqual(0.02);
  expect(clock.exposed).toBeLessThanOrEqual((performance.now() - start) / 1000);
});

test("the waits of collectives are communication", () => {
  let waited = 0;
  const clock = new Clock(1, () => waited);
  const start = performance.now();
  clock.computing(0, () => {
    spend(20);
    waited += 0.015;
  });
  const all = (performance.now() - start) / 1000;
  expect(clock.exposed).toBeCloseTo(0.015, 9);
  expect(clock.compute).toBeLessThanOrEqual(all - 0.015 + 1e-9);
});

test("what fails has taken its time, too", () => {
  const clock = new Clock(1, () => 0);
  const fail = (): never => {
    spend(5);
    throw new Error("no");
  };
  expect(() => clock.computing(0, fail)).toThrow("no");
  expect(clock.compute).toBeGreaterThanOrEqual(0.005);
});
