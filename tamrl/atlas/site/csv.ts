// Cells of a CSV file, none of which a spreadsheet takes for a formula.

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
const FORMULA = /^[ ']*[-=+@＝＋－＠]/;

/** A number as it is; text on one line, with an apostrophe in front where it begins like a formula, in quotes where it needs them. */
export function cell(value: string | number, separator: string): string {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
  const line = value.replace(CONTROL, " ");
  const text = FORMULA.test(line) ? `'${line}` : line;
  return text.includes('"') || text.includes(separator) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** A line about the file: `#` and text, no part of which begins like a formula, at whatever sign a spreadsheet divides it. */
export function comment(text: string): string {
  return `# ${text.replace(CONTROL, " ").replace(/([,;|"]\s*)(?=[-=+@＝＋－＠])/g, "$1'")}`;
}
