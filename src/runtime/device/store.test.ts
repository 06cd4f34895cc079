import { expect, test } from "vitest";
import { Store } from "./store.ts";

class Value implements Disposable {
  disposed = 0;

  [Symbol.dispose](): void {
    this.disposed++;
  }
}

test("what is dropped is freed, once", () => {
  const store = new Store<Value>();
  const value = new Value();
  store.set("a 0", value);
  expect(store.get("a 0")).toBe(value);
  store.drop("a 0");
  store.drop("a 0");
  expect(value.disposed).toBe(1);
  expect(store.get("a 0")).toBeUndefined();
});

test("what is being sent stays until its last word has left", () => {
  const store = new Store<Value>();
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
  const store = new Store<Value>();
  const value = new Value();
  store.set("a 0", value);
  store.leave("a 0")();
  expect(value.disposed).toBe(0);
});

test("what is taken is the taker's", () => {
  const store = new Store<Value>();
  const value = new Value();
  store.set("a 0", value);
  expect(store.take("a 0")).toBe(value);
  store.clear();
  expect(value.disposed).toBe(0);
});

test("a value takes the place of an older one", () => {
  const store = new Store<Value>();
  const [older, newer] = [new Value(), new Value()];
  store.set("a 0", older);
  store.set("a 0", newer);
  expect([older.disposed, newer.disposed]).toEqual([1, 0]);
  store.clear();
  expect([older.disposed, newer.disposed]).toEqual([1, 1]);
});
