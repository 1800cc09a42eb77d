// Colours of all cells of what a map shows, block by block as the data arrive.
import { differenceScale, paint, scaleOf, type Extent, type Scale } from "./colour";
import type { Run } from "./run";
import { nice, values, type Source } from "./source";
import { FLUXES, type Flux } from "./types";

interface Part {
  run: Run;
  source: Source;
  label: string;
  month: number;
}

/** One map's content: a source of a run in a month, perhaps less another. */
export interface Shown extends Part {
  minus?: Part;
}

const SHARE = 0.98; // of the sizes of a difference lie within its colours
const SAMPLED = 20_000; // cells that tell it
const tops = new Map<string, number>();

/** The colours of a map; those of a difference or an error reach as far as 98 % of its values in any month. */
export async function scaleFor(shown: Shown): Promise<Scale> {
  const { source, minus, month } = shown;
  if (!minus && source.palette !== "error") return scaleOf(shown.run, source, month);
  const together = minus?.month === month;
  const parts = [shown, ...(minus ? [minus] : [])];
  const key = [...parts.map((part) => `${part.run.base}|${part.source.id}|${part.label}`), month > 0, !minus || together ? "" : minus.month].join("|");
  let top = tops.get(key);
  if (top === undefined) {
    const monthly = parts.some((part) => part.source.monthly);
    const months = month && monthly ? Array.from({ length: 12 }, (_, m) => m + 1) : [month];
    const sizes: number[] = [];
    for (const m of months) {
      const line = await valuesOf({ ...shown, month: m, minus: minus && { ...minus, month: together ? m : minus.month } });
      const step = Math.max(1, Math.ceil((line.length * months.length) / SAMPLED));
      for (let cell = m % step; cell < line.length; cell += step) if (!Number.isNaN(line[cell])) sizes.push(Math.abs(line[cell]));
    }
    sizes.sort((a, b) => a - b);
    top = nice(sizes[Math.min(sizes.length - 1, Math.floor(SHARE * sizes.length))] || 0.1);
    tops.set(key, top);
  }
  return differenceScale(shown.run, top);
}

/** What the shown runs say of themselves where one is of a virtual Earth. */
export function worldOf(shown: Shown): string | null {
  return shown.run.index.virtual_earth ?? shown.minus?.run.index.virtual_earth ?? null;
}

/** What held-out towers say of a shown flux whose maps have no skill, null for the others. */
export function warningOf(shown: Shown): string | null {
  for (const { run, source } of [shown, ...(shown.minus ? [shown.minus] : [])]) {
    const flux = FLUXES.find((name) => source.id.startsWith(`${name}.`));
    const warning = flux && poorSkill(run, flux);
    if (warning) return warning;
  }
  return null;
}

/** What held-out towers say of a flux whose maps have no skill, null for the others. */
export function poorSkill(run: Run, flux: Flux): string | null {
  const skill = run.index.about.skill[flux];
  return skill.startsWith("no ") ? `${run.index.fluxes[flux].short}: ${skill.split(/[,;:(]/)[0].trim()}` : null;
}

/** Whether the sign of the shown values tells a sink from a source. */
export function hasSides(shown: Shown): boolean {
  return !shown.minus && /^nee\.(mean|truth|q05|q95)$/.test(shown.source.id);
}

/** Whether the second can be taken from the first: numbers of one unit. */
export function comparable(a: Source, b: Source): boolean {
  return a.unit === b.unit && !a.classes.length && !b.classes.length && !a.flags && !b.flags;
}

/** Whether a difference of a source by itself tells anything. */
export function differs(source: Source, otherRun: string): boolean {
  return comparable(source, source) && (source.monthly || !!otherRun);
}

async function whole({ run, source, label, month }: Part): Promise<Float32Array> {
  const out = new Float32Array(run.cells);
  await Promise.all(run.offsets.map(async (offset, k) => out.set(await values(run, source, label, k, month), offset)));
  return out;
}

/** Values of all cells of the first run, less those of the second where there is one. */
async function valuesOf(shown: Shown): Promise<Float32Array> {
  const { run, minus } = shown;
  const [a, b] = await Promise.all([whole(shown), minus ? whole(minus) : null]);
  if (!minus || !b) return a;
  for (let cell = 0; cell < a.length; cell++) {
    const place = minus.run === run ? null : run.place(cell);
    const other = place ? minus.run.at(place.lat, place.lon) : cell;
    a[cell] = other < 0 ? NaN : a[cell] - b[other];
  }
  return a;
}

/** Paint the cells of `shown` into `out` and note in `scale` how far they reach; `arrived` is called whenever more are there. */
export async function colour(shown: Shown, scale: Scale, out: Uint32Array, arrived: () => void): Promise<void> {
  const { run, source, label, month } = shown;
  const extent: Extent = { least: Infinity, most: -Infinity };
  if (shown.minus) {
    paint(await valuesOf(shown), scale, out, 0, extent);
    arrived();
  } else {
    await Promise.all(run.offsets.map(async (offset, k) => {
      paint(await values(run, source, label, k, month), scale, out, offset, extent);
      arrived();
    }));
  }
  scale.extent = extent;
}

/** Why cells are hatched. */
export const HATCHES = ["", "outside the area of applicability", "set to zero, not an estimate"] as const;

const hatches = new WeakMap<Run, Promise<Uint8Array>>();

/** Position in `HATCHES` of each cell of a run. */
function hatchesOf(run: Run): Promise<Uint8Array> {
  let found = hatches.get(run);
  if (!found) {
    found = readHatches(run);
    found.catch(() => hatches.delete(run));
    hatches.set(run, found);
  }
  return found;
}

async function readHatches(run: Run): Promise<Uint8Array> {
  const out = new Uint8Array(run.cells);
  const label = run.index.labels[0];
  for (const [name, value, kind] of [["applicability", 0, 1], ["vegetated", 0, 2]] as const) {
    if (!run.layers.has(name)) continue;
    await Promise.all(run.offsets.map(async (offset, k) => {
      const numbers = await run.block(name, label, k);
      for (let c = 0; c < numbers.length; c++) if (numbers[c] === value) out[offset + c] = kind;
    }));
  }
  return out;
}

/** How the cells of what is shown are hatched: fluxes alone, and where that is asked for. */
export async function hatch(shown: Shown): Promise<Uint8Array | null> {
  if (!FLUXES.some((flux) => shown.source.id.startsWith(`${flux}.`)) || /\.truth$/.test(shown.source.id)) return null;
  return hatchesOf(shown.run);
}
