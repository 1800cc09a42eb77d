// From values to colours: the report's palettes, and one colour a class.
import type { Run } from "./run";
import type { Source } from "./source";

/** Land-cover classes in the order of `classes.IGBP`: forests green, shrubs and savannas brown to yellow, others by kind. */
const IGBP = ["0b5d3b", "1f8f4d", "5f8f3f", "7cc26b", "3f7f63", "a5694f", "cf9f6b", "a9b152", "d3cf6f", "e9e2a0", "4aa3b5", "e07b39", "7a3b69", "d9a441", "f7fbff", "cfc7bd", "7fa9d6"];
const KOPPEN = ["1f7a5a", "e0b04c", "8fc36b", "6a8fc7", "c9d6e8"];

const hex = (text: string, at = 0): number => {
  const part = (i: number): number => parseInt(text.slice(at + 2 * i, at + 2 * i + 2), 16);
  return (255 << 24) | (part(2) << 16) | (part(1) << 8) | part(0); // little-endian RGBA
};

/** Least and most of the painted values. */
export interface Extent {
  least: number;
  most: number;
}

export interface Scale {
  low: number;
  high: number;
  lut: Uint32Array;
  classes: string[];
  /** Once the cells are painted. */
  extent?: Extent;
}

export function scaleOf(run: Run, source: Source, month: number): Scale {
  const { low, high, flags } = source;
  const classes = flags && month ? flags : source.classes; // of a year a share of its months is shown
  if (flags && month) {
    const all = ramp(run.index.palettes[source.palette]);
    return { low, high, classes, lut: Uint32Array.of(all[0], all[all.length - 1]) };
  }
  if (!classes.length) return { low, high, classes, lut: ramp(run.index.palettes[source.palette]) };
  const table = source.id === "igbp" ? IGBP : source.id === "koppen" ? KOPPEN : ["c98b43", "2f8f88"];
  return { low, high, classes, lut: Uint32Array.from(classes, (_, k) => hex(table[k % table.length])) };
}

/** The scale of a difference: centred on zero. */
export function differenceScale(run: Run, top: number): Scale {
  return { low: -top, high: top, classes: [], lut: ramp(run.index.palettes.error) };
}

function ramp(text: string): Uint32Array {
  return Uint32Array.from({ length: text.length / 6 }, (_, k) => hex(text, 6 * k));
}

/** Colours of values; 0 (clear) where missing. */
export function paint(values: Float32Array, scale: Scale, out: Uint32Array, offset: number, extent?: Extent): void {
  const { low, high, lut, classes } = scale;
  const top = lut.length - 1;
  const factor = classes.length ? 1 : (top + 1) / (high - low);
  const from = classes.length ? 0 : low;
  for (let i = 0; i < values.length; i++) {
    const at = (values[i] - from) * factor;
    out[offset + i] = at !== at ? 0 : lut[at < 0 ? 0 : at > top ? top : at | 0];
    if (!extent || at !== at) continue;
    if (values[i] < extent.least) extent.least = values[i];
    if (values[i] > extent.most) extent.most = values[i];
  }
}

export const css = (colour: number): string =>
  `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;

/** A colour that stands out against another: darker on light, lighter on dark. */
function contrast(colour: number): number {
  const parts = [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const light = 0.3 * parts[0] + 0.59 * parts[1] + 0.11 * parts[2] > 120;
  const [r, g, b] = parts.map((part) => (light ? part * 0.42 : part + (255 - part) * 0.6) | 0);
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Hatch pixels: rising lines for kind 1, dots for kind 2, `period` pixels apart; `at` is the cell of each pixel, -1 for none. */
export function drawHatches(pixels: Uint32Array, at: Int32Array, kinds: Uint8Array, width: number, period: number): void {
  const thick = Math.max(1, Math.round(period / 7));
  for (let i = 0; i < at.length; i++) {
    const kind = at[i] < 0 ? 0 : kinds[at[i]];
    if (!kind || !pixels[i]) continue;
    const x = i % width;
    const y = (i - x) / width;
    const on = kind === 1 ? (x + y) % period < thick : x % period < 2 * thick && (y + (Math.floor(x / period) % 2) * (period >> 1)) % period < 2 * thick;
    if (on) pixels[i] = contrast(pixels[i]);
  }
}
