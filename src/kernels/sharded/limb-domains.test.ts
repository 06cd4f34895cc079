import { expect, test } from "vitest";
import { LimbDomains } from "./limb-domains.ts";

test("limbs are in NTT domain unless something says otherwise", () => {
  const domains = new LimbDomains(10);
  const [a, b] = [100, 200].map((address) => ({ address, moduli: [0, 1] }));
  const second = { address: 210, moduli: [1] };
  expect(domains.of(a)).toBe("ntt");
  domains.set(a, "coefficient");
  domains.follow(b, a);
  expect(domains.of(second)).toBe("coefficient");
  domains.set(second, "ntt");
  expect([domains.of(b), domains.of(second)]).toEqual(["coefficient", "ntt"]);
  domains.forget(100, 2);
  expect(domains.of(a)).toBe("ntt");
  domains.follow(b, a);
  expect(domains.of(b)).toBe("ntt");
});
