/**
 * Parameters together with a backend: the ring that all objects of one scheme instance share.
 */
import type { Backend } from "../kernels/backend.ts";
import { type Exchanges, isSharded, noExchanges } from "../kernels/sharded/exchanges.ts";
import { Ring } from "../ring/ring.ts";
import { Parameters, type ParametersSpec } from "./parameters.ts";

export class Context {
  readonly parameters: Parameters;
  readonly ring: Ring;
  /** Where devices that share the work meet; nothing on one device. */
  readonly exchanges: Exchanges;

  /** @param parameters a spec (checked here) or checked parameters */
  constructor(parameters: Parameters | ParametersSpec, backend: Backend) {
    this.parameters = parameters instanceof Parameters ? parameters : new Parameters(parameters);
    this.ring = new Ring(backend, this.parameters.logN, this.parameters.primes);
    const { kernels } = this.ring;
    this.exchanges = isSharded(kernels) ? kernels.exchanges : noExchanges;
  }

  get backend(): Backend {
    return this.ring.backend;
  }
}
