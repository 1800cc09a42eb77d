// Numbers of the page as CSV files that say what they hold.
import type { App } from "./app";
import { cell, comment } from "./csv";
import { download } from "./dom";

export type Row = (string | number)[];

/** A column of a table: its name, and what it holds. */
export interface Column {
  name: string;
  means: string;
}

export const SIGN = "NEE = RECO − GPP; positive towards the atmosphere";

/** What a file says of itself, a line each: no commas, as readers may take these lines for rows. */
function origin(app: App, what: string, columns: Column[]): string[] {
  const { index } = app.run;
  const { about } = index;
  const link = window.location.protocol === "file:" ? window.location.hash : window.location.href;
  const cite = about.cite.replace(" on this page", " in this file");
  return [
    `${index.title}; run ${index.run}; ${what}`, ...(index.virtual_earth ? [index.virtual_earth] : []), SIGN,
    ...columns.map(({ name, means }) => `column ${name}: ${means}`),
    ...Object.entries(about.digests).map(([name, value]) => `${name}: ${value}`), `tamrl ${about.software.tamrl ?? "not stated"}; maps by ${index.model}`,
    `saved ${new Date().toISOString()}; view ${link}`, cite,
  ].map((line) => comment(line.replace(/,/g, ";")));
}

/** Rows as text; the last column says where the world is virtual. */
export function rowsOf(app: App, columns: Column[], rows: Row[], separator: string): string {
  const world = app.run.index.virtual_earth;
  const all: Row[] = [columns.map(({ name }) => name), ...rows];
  return all.map((row, k) => [...row, ...(world ? [k ? world : "virtual_earth"] : [])].map((value) => cell(value, separator)).join(separator)).join("\n");
}

/** Offer a table as a file. */
export function saveTable(app: App, name: string, what: string, columns: Column[], rows: Row[]): void {
  const text = [...origin(app, what, columns), rowsOf(app, columns, rows, ",")].join("\n") + "\n";
  download(`${app.run.index.run}_${name}.csv`, new Blob([text], { type: "text/csv" }));
}

export const exact = (value: number | null | undefined, digits = 4): number => (value === null || value === undefined ? NaN : Number(value.toFixed(digits)));
