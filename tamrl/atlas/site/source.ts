// What a map can show: stored layers, and what follows from them (range, error, coverage).
import { FILL } from "./pack";
import type { Run } from "./run";
import { FLUXES, type Flux, type Layer } from "./types";

export interface Source {
  id: string;
  title: string;
  unit: string;
  palette: string;
  low: number;
  high: number;
  classes: string[];
  /** Names of 0 and 1 where a month is one of the two. */
  flags?: string[];
  /** Whether months differ. */
  monthly: boolean;
  /** Stored layers it is made from. */
  needs: string[];
  /** One step of it from one step of each of `needs`. */
  value: (parts: number[]) => number;
}

const DAYS = [31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const first = (parts: number[]): number => parts[0];

function stored(layer: Layer): Source {
  const { name: id, title, unit, palette, low, high, classes, steps } = layer;
  return { id, title, unit, palette, low, high, classes, monthly: steps > 1, needs: [id], value: first };
}

/** All that a run can show, by id. */
export function sources(run: Run): Map<string, Source> {
  const found = new Map<string, Source>();
  for (const layer of run.index.layers) found.set(layer.name, stored(layer));
  for (const flux of FLUXES) for (const source of derived(run, flux)) found.set(source.id, source);
  return found;
}

function derived(run: Run, flux: Flux): Source[] {
  const mean = run.layers.get(`${flux}.mean`);
  const std = run.layers.get(`${flux}.std`);
  if (!mean || !std) return [];
  const name = run.index.fluxes[flux].short;
  const common = { unit: mean.unit, classes: [], monthly: true };
  const top = nice(3.3 * std.high);
  const made: Source[] = [
    { ...common, id: `${flux}.range`, title: `${name}, width of the 90 % range`, palette: "spread", low: 0, high: top,
      needs: [`${flux}.q05`, `${flux}.q95`], value: ([low, high]) => high - low },
  ];
  if (run.layers.has(`${flux}.truth`)) {
    const label = run.index.reference ?? "reference";
    const off = nice(0.6 * Math.max(Math.abs(mean.low), Math.abs(mean.high)));
    made.push(
      { ...common, id: `${flux}.error`, title: `${name}, error (estimate − ${label})`, palette: "error", low: -off, high: off,
        needs: [`${flux}.mean`, `${flux}.truth`], value: ([estimate, truth]) => estimate - truth },
    );
    if (run.index.step === "month") made.push( // of days the share is stored: a month's mean lies inside a day's range too easily
      { ...common, unit: "", id: `${flux}.inside`, title: `${name}, ${label} inside the 90 % range`, palette: "coverage", low: 0, high: 1, flags: [`${label} outside`, `${label} inside`],
        needs: [`${flux}.truth`, `${flux}.q05`, `${flux}.q95`],
        value: ([truth, low, high]) => (Number.isNaN(truth + low + high) ? NaN : truth >= low && truth <= high ? 1 : 0) },
    );
  }
  return made;
}

/** The next of 1, 2, 3, 4, 5, 6, 8, 10 times a power of ten. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return (([1, 2, 3, 4, 5, 6, 8, 10].find((step) => step >= value / power - 1e-9) ?? 10) * power);
}

/** Values of a block in a month (1 to 12), or their mean over the year (0): missing where any month is. */
export async function values(run: Run, source: Source, label: string, k: number, month: number): Promise<Float32Array> {
  const layers = source.needs.map((name) => run.layers.get(name)!);
  const parts = await Promise.all(source.needs.map((name) => run.block(name, label, k)));
  const { cells } = run.index.blocks[k];
  const out = new Float32Array(cells);
  if (source.value === first && (month || !source.monthly)) {
    const { quantum } = layers[0]; // the way of the slider: no detour for what is stored as it is shown
    const from = source.monthly ? (month - 1) * cells : 0;
    for (let c = 0; c < cells; c++) {
      const number = parts[0][from + c];
      out[c] = number === FILL ? NaN : number * quantum;
    }
    return out;
  }
  const months = !source.monthly ? [0] : month === 0 ? DAYS.map((_, m) => m) : [month - 1];
  const total = months.reduce((sum, m) => sum + DAYS[m], 0);
  const found = new Array<number>(parts.length);
  for (let c = 0; c < cells; c++) {
    let sum = 0;
    for (const m of months) {
      for (let p = 0; p < parts.length; p++) {
        const number = parts[p][(layers[p].steps > 1 ? m * cells : 0) + c];
        found[p] = number === FILL ? NaN : number * layers[p].quantum;
      }
      sum += source.value(found) * (months.length > 1 ? DAYS[m] / total : 1);
    }
    out[c] = sum;
  }
  return out;
}

/** Value of one cell. */
export async function valueAt(run: Run, source: Source, label: string, cell: number, month: number): Promise<number> {
  const all = await Promise.all(source.needs.map((name) => run.series(name, label, cell)));
  const steps = source.monthly ? 12 : 1;
  const line = Array.from({ length: steps }, (_, m) => source.value(all.map((part) => part[part.length > 1 ? m : 0])));
  return pickMonth(line, month);
}

/** A month (1 to 12) of a line of months, or its mean over the year (0). */
export function pickMonth(line: number[], month: number): number {
  if (line.length === 1) return line[0];
  if (month) return line[month - 1];
  const total = DAYS.reduce((sum, days) => sum + days, 0);
  return line.reduce((sum, value, m) => sum + value * DAYS[m], 0) / total;
}
