/** Reports: what people look at of plans and runs. */
export { type Trace, traceOf } from "./trace.ts";
