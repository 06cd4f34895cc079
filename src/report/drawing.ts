/**
 * Plots as SVG text, drawn without a browser. Colours follow the reader's scheme, light or dark: lines and text take the
 * current colour, areas a palette that is readable on both.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escapeText, type Figure, palette } from "./svg.ts";

export interface FigureOptions extends Omit<Plot.PlotOptions, "document" | "color" | "title"> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** What colours stand for, in the order of the palette. */
  readonly legend?: readonly string[];
}

const legendHeight = 22;
const swatch = 11;
const letter = 6.4;

export function figure({ name, title, description, legend = [], ...options }: FigureOptions): Figure {
  const { document } = parseHTML("<html><body></body></html>");
  const width = options.width ?? 640;
  const rows = legendRows(legend, width);
  const plot = Plot.plot({
    ...options,
    document: document as unknown as Document,
    width,
    marginTop: (options.marginTop ?? 24) + legendHeight * rows.length,
    color: { domain: [...legend], range: palette.slice(0, legend.length) },
  } as Plot.PlotOptions);
  // A plot alone is the drawing itself.
  plot.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", `${title}. ${description}`);
  plot.setAttribute(
    "style",
    "color-scheme: light dark; color: CanvasText; background: Canvas; max-width: 100%; height: auto",
  );
  plot.insertAdjacentHTML("beforeend", rows.map((row, y) => legendRow(row, y)).join(""));
  return { name, title, description, svg: plot.outerHTML };
}

/** Entries, as many to a row as fit. */
function legendRows(legend: readonly string[], width: number): { label: string; color: string; x: number }[][] {
  const rows: { label: string; color: string; x: number }[][] = [];
  let x = width;
  for (const [i, label] of legend.entries()) {
    const space = swatch + 8 + label.length * letter + 12;
    if (x + space > width) {
      rows.push([]);
      x = 4;
    }
    rows.at(-1)?.push({ label, color: palette[i] as string, x });
    x += space;
  }
  return rows;
}

function legendRow(entries: readonly { label: string; color: string; x: number }[], row: number): string {
  const y = 4 + row * legendHeight;
  return entries
    .map(
      ({ label, color, x }) =>
        `<g transform="translate(${x},${y})"><rect width="${swatch}" height="${swatch}" fill="${color}"></rect>` +
        `<text x="${swatch + 5}" y="${swatch - 1}" fill="currentColor" text-anchor="start" font-size="12">${escapeText(label)}</text></g>`,
    )
    .join("");
}
