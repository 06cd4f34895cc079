/** How figures of reports and tables are written. */
import type { CalibrationRow } from "../simulator/index.ts";

/** What a figure counts. */
export type Unit = "share" | "times" | "seconds" | "bytes";

export function formatFigure(value: number, unit: Unit): string {
  switch (unit) {
    case "share":
      return percent(value);
    case "times":
      return `${value.toFixed(2)}×`;
    case "seconds":
      return seconds(value);
    case "bytes":
      return gibibytes(value);
  }
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(bytes < 100 * 2 ** 30 ? 1 : 0)} GiB`;
}

export function seconds(value: number): string {
  return value >= 1000 ? `${value.toFixed(0)} s` : `${value.toPrecision(3)} s`;
}

/** What is simulated, what it is held against, and how far it is off. */
export function formatCalibration({ predicted, reference, range, unit, error }: CalibrationRow) {
  const shown = (value: number): string => {
    if (unit !== "s") return `${value.toFixed(2)} ${unit}`;
    return value < 1 ? `${(1000 * value).toPrecision(3)} ms` : `${value.toFixed(0)} s`;
  };
  return {
    simulated: shown(predicted),
    reference: range === undefined ? shown(reference) : `${range[0].toFixed(2)} to ${shown(range[1])}`,
    error: `${error < 0 ? "−" : "+"}${percent(Math.abs(error))}`,
  };
}
