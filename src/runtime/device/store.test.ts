import { expect, test } from "vitest";
import type { Poly } from "../../ring/index.ts";
import { Store, Tally } from "./store.ts";

class Value implements Disposable {
  disposed = 0;
  readonly parts = [{ bytes: 3 }, { bytes: 4 }] as unknown as readonly Poly[];

  [Symbol.dispose](): void {
    this.disposed++;
  }
}

test("what is dropped is freed, once", () => {
  const store = new Store<Value>(new Tally());
  const value = new Value();
  store.set("a 0", value);
  expect(store.get("a 0")).toBe(value);
  store.drop("a 0");
  store.drop("a 0");
  expect(value.disposed).toBe(1);
  expect(store.get("a 0")).toBeUndefined();
});

test("what is being sent stays until its last word has left", () => {
  const store = new Store<Value>(new Tally());
  const value = new Value();
  store.set("a 0", value);
  const first = store.leave("a 0");
  const second = store.leave("a 0");
  first();
  store.drop("a 0");
  expect(value.disposed).toBe(0);
  second();
  expect(value.disposed).toBe(1);
});

test("what has left but is still read stays", () => {
  const store = new Store<Value>(new Tally());
  const value = new Value();
  store.set("a 0", value);
  store.leave("a 0")();
  expect(value.disposed).toBe(0);
});

test("what is taken is the taker's", () => {
  const store = new Store<Value>(new Tally());
  const value = new Value();
  store.set("a 0", value);
  expect(store.take("a 0")).toBe(value);
  store.clear();
  expect(value.disposed).toBe(0);
});

test("a value takes the place of an older one", () => {
  const store = new Store<Value>(new Tally());
  const [older, newer] = [new Value(), new Value()];
  store.set("a 0", older);
  store.set("a 0", newer);
  expect([older.disposed, newer.disposed]).toEqual([1, 0]);
  store.clear();
  expect([older.disposed, newer.disposed]).toEqual([1, 1]);
});

test("bytes of what is held are counted at their peak, until they are freed or taken", () => {
  const tally = new Tally();
  const [ciphertexts, sums] = [new Store<Value>(tally), new Store<Value>(tally)];
  ciphertexts.set("a 0", new Value());
  sums.set("a 1", new Value());
  expect(tally.peak).toBe(14);
  const left = ciphertexts.leave("a 0");
  ciphertexts.drop("a 0");
  sums.take("a 1");
  ciphertexts.set("b 0", new Value()); // beside what is leaving
  expect(tally.peak).toBe(14);
  ciphertexts.set("b 1", new Value());
  expect(tally.peak).toBe(21);
  left();
  ciphertexts.set("b 2", new Value());
  expect(tally.peak).toBe(21);
});
