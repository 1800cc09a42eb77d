// Colours of all cells of what a map shows, block by block as the data arrive.
import { differenceScale, paint, scaleOf, type Scale } from "./colour";
import type { Run } from "./run";
import { nice, values, type Source } from "./source";

/** One map's content: a source of a run in a month, perhaps less another. */
export interface Shown {
  run: Run;
  source: Source;
  label: string;
  month: number;
  minus?: { run: Run; source: Source; label: string; month: number };
}

export function scaleFor(shown: Shown): Scale {
  if (!shown.minus) return scaleOf(shown.run, shown.source);
  const sizes = [shown.source, shown.minus.source].flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]);
  const spans = [shown.source, shown.minus.source].map(({ low, high }) => high - low);
  return differenceScale(shown.run, nice(0.6 * Math.min(Math.max(...sizes), Math.max(...spans))));
}

/** What the shown runs say of themselves where one is of a virtual Earth. */
export function worldOf(shown: Shown): string | null {
  return shown.run.index.virtual_earth ?? shown.minus?.run.index.virtual_earth ?? null;
}

/** Whether the second can be taken from the first: numbers of one unit. */
export function comparable(a: Source, b: Source): boolean {
  return a.unit === b.unit && !a.classes.length && !b.classes.length;
}

async function whole(run: Run, source: Source, label: string, month: number): Promise<Float32Array> {
  const out = new Float32Array(run.cells);
  await Promise.all(run.offsets.map(async (offset, k) => out.set(await values(run, source, label, k, month), offset)));
  return out;
}

/** Paint the cells of `shown` into `out`; `arrived` is called whenever more of them are there. */
export async function colour(shown: Shown, scale: Scale, out: Uint32Array, arrived: () => void): Promise<void> {
  const { run, source, label, month, minus } = shown;
  if (!minus) {
    await Promise.all(run.offsets.map(async (offset, k) => {
      paint(await values(run, source, label, k, month), scale, out, offset);
      arrived();
    }));
    return;
  }
  const [a, b] = await Promise.all([whole(run, source, label, month), whole(minus.run, minus.source, minus.label, minus.month)]);
  for (let cell = 0; cell < a.length; cell++) {
    const place = minus.run === run ? null : run.place(cell);
    const other = place ? minus.run.at(place.lat, place.lon) : cell;
    a[cell] = other < 0 ? NaN : a[cell] - b[other];
  }
  paint(a, scale, out, 0);
  arrived();
}
