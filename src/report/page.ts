/** A page that needs nothing from elsewhere: text, tables and drawings in one file, readable on a telephone. */
import { escapeText, type Figure } from "./svg.ts";

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Section {
  readonly title: string;
  /** Paragraphs before what follows. */
  readonly text: readonly string[];
  readonly tables?: readonly Table[];
  readonly figures?: readonly Figure[];
  /** Paragraphs after it. */
  readonly notes?: readonly string[];
}

export interface Page {
  readonly title: string;
  readonly lead: readonly string[];
  readonly sections: readonly Section[];
}

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 18%, Canvas); --soft: color-mix(in srgb, CanvasText 65%, Canvas); }
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem 4rem; font: 16px/1.55 system-ui, sans-serif; color: CanvasText; background: Canvas; }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.6rem; }
p { margin: .7rem 0; } .note { color: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:not(:first-child), th:not(:first-child) { white-space: nowrap; } td.wide { white-space: normal; min-width: 14rem; }
figure { margin: 1.2rem 0; overflow-x: auto; } figure svg { min-width: 30rem; } figcaption { font-size: .86rem; color: var(--soft); }
nav ul { padding-left: 1.2rem; }
`;

/** Cells longer than this may break. */
const longCell = 28;

export function htmlOf({ title, lead, sections }: Page): string {
  const anchor = (i: number): string => `part-${i + 1}`;
  const parts = sections.map(
    (section, i) =>
      `<section id="${anchor(i)}"><h2>${escapeText(section.title)}</h2>${paragraphs(section.text)}` +
      (section.tables ?? []).map(tableOf).join("") +
      (section.figures ?? []).map(figureOf).join("") +
      `${paragraphs(section.notes ?? [], "note")}</section>`,
  );
  const links = sections.map((section, i) => `<li><a href="#${anchor(i)}">${escapeText(section.title)}</a></li>`);
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">`,
    `<title>${escapeText(title)}</title><style>${style}</style></head><body>`,
    `<h1>${escapeText(title)}</h1>${paragraphs(lead)}<nav><ul>${links.join("")}</ul></nav>`,
    ...parts,
    "</body></html>\n",
  ].join("\n");
}

function paragraphs(texts: readonly string[], kind?: string): string {
  return texts.map((text) => `<p${kind ? ` class="${kind}"` : ""}>${escapeText(text)}</p>`).join("");
}

function tableOf({ head, rows }: Table): string {
  const cell = (text: string): string => `<td${text.length > longCell ? ' class="wide"' : ""}>${escapeText(text)}</td>`;
  const body = rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("");
  return `<div class="scroll"><table><thead><tr>${head.map((text) => `<th>${escapeText(text)}</th>`).join("")}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function figureOf({ name, title, description, svg }: Figure): string {
  return `<figure id="${name}">${svg}<figcaption>${escapeText(title)}. ${escapeText(description)}</figcaption></figure>`;
}
