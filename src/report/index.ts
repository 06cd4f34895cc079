/** Reports: what people look at of plans and runs. */
export { formatCalibration, formatFigure, percent, type Unit } from "./format.ts";
export { htmlOf, type Page, type Section, type Table } from "./page.ts";
export { figuresOf, type Headline, headlines, pageOf } from "./paper/page.ts";
export { type PaperOptions, type PaperStudy, paperModel, paperStudy } from "./paper/study.ts";
export type { Figure } from "./svg.ts";
export { type Trace, traceOf, traceOfRun } from "./trace.ts";
