import { expect, test } from "vitest";
import { containers } from "../../../test/support/containers.ts";
import { fuzz } from "../../../test/support/fuzz.ts";

test.each([false, true])("10^5 damaged containers, checksum made right: %s", async (sealed) => {
  const { list, fixture } = await containers();
  const before = fixture.context.backend.memory();
  const counts = await fuzz(list, 100_000, Date.now() & 0xffffff, sealed);
  expect(counts.refused + counts.read).toBe(100_000);
  const after = fixture.context.backend.memory();
  expect(after.used).toBe(before.used);
  expect(after.peak - before.used).toBeLessThan(2 ** 20);
  // the backend is shared by both runs and ends with the process
});
