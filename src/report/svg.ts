/** Drawings as SVG text, and what they share. What draws them is in drawing.ts. */
/** A drawing with what it shows, for those who cannot see it. */
export interface Figure {
  /** Of its file, and of its place in a page. */
  readonly name: string;
  readonly title: string;
  /** What is to be seen. */
  readonly description: string;
  readonly svg: string;
}

/** Colours that can be told apart on white and on black, by those with a colour deficiency too (Okabe and Ito, 2008). */
export const palette = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#8a8a8a",
  "#b8a900",
  "#7a5195",
];

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text as it may stand in markup. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => escapes[character] as string);
}
