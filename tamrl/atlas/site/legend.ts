// The key of the colours, on the page and in pictures.
import { css, type Scale } from "./colour";
import { decimals, digitsFor, h, number } from "./dom";
import { HATCHES } from "./fields";

/** What a key says besides its colours. */
export interface Words {
  title: string;
  unit: string;
  /** What a virtual Earth says of itself. */
  world: string | null;
  /** What towers say of a flux without skill. */
  warning: string | null;
  /** Whether the sign tells a sink from a source. */
  sides: boolean;
  /** What hatchings of the map mean, by their positions in `HATCHES`. */
  hatched: number[];
}

const SIDES = ["← sink", "source →"];
const ARROW = 9; // pixels

/** Round numbers within the colours, four to seven of them. */
export function ticks({ low, high }: { low: number; high: number }): number[] {
  const power = 10 ** Math.floor(Math.log10(high - low));
  for (const part of [5, 2, 1, 0.5, 0.2, 0.1]) {
    const step = part * power;
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first + 1;
    if (count >= 4) return Array.from({ length: count }, (_, k) => (first + k) * step);
  }
  return [low, high];
}

const part = (scale: Scale, value: number): number => (value - scale.low) / (scale.high - scale.low);
const slack = (scale: Scale): number => 1e-4 * (scale.high - scale.low);
const below = (scale: Scale): boolean => !!scale.extent && scale.extent.least < scale.low - slack(scale);
const above = (scale: Scale): boolean => !!scale.extent && scale.extent.most > scale.high + slack(scale);

/** Where values lie that the colours do not tell apart. */
function beyond(scale: Scale): string | null {
  if (!scale.extent || !(below(scale) || above(scale))) return null;
  const digits = digitsFor(scale.high - scale.low);
  return `Values ${number(scale.extent.least, digits)} to ${number(scale.extent.most, digits)}`;
}

/** What hatchings mean. */
function hatchings(hatched: number[]): HTMLElement | null {
  return hatched.length ? h("ul", { class: "hatchings" }, ...hatched.map((kind) => h("li", {}, h("i", { class: `hatch-${kind}`, "aria-hidden": "true" }), HATCHES[kind]))) : null;
}

/** The key on the page; without colours where the one beside it has the same. */
export function legend(scale: Scale, { title, unit, world, warning, sides, hatched }: Words, same = false): HTMLElement {
  const reach = scale.classes.length ? null : beyond(scale);
  const told = h("div", { class: "told" }, h("p", {}, title, unit && h("span", { class: "soft" }, ` ${unit}`)), world && h("strong", { class: "badge" }, world), warning && h("strong", { class: "badge warning" }, warning),
    same && h("p", { class: "soft same" }, ["Colours as for the other map.", reach && `${reach} ${unit}.`].filter(Boolean).join(" ")), hatchings(hatched));
  if (same) return h("div", { class: "legend" }, told);
  if (scale.classes.length) {
    return h("div", { class: "legend" }, told, h("ul", {}, ...scale.classes.map((name, k) => {
      const box = h("i", { "aria-hidden": "true" });
      box.style.background = css(scale.lut[k]);
      return h("li", {}, box, name);
    })));
  }
  const bar = h("div", { class: "ramp", role: "img", "aria-label": [`Colours from ${number(scale.low)} to ${number(scale.high)} ${unit}`, reach].filter(Boolean).join(". ") });
  bar.style.background = `linear-gradient(to right, ${Array.from({ length: 33 }, (_, k) => css(scale.lut[Math.round((k * (scale.lut.length - 1)) / 32)])).join(",")})`;
  const arrow = (side: "low" | "high", there: boolean, colour: number): HTMLElement => {
    const made = h("i", { class: `arrow ${side}`, hidden: !there, "aria-hidden": "true" });
    made.style.background = css(colour);
    return made;
  };
  const at = ticks(scale);
  const places = decimals(at);
  return h("div", { class: "legend" }, told, h("div", { class: "shades" },
    h("div", { class: "colours" }, arrow("low", below(scale), scale.lut[0]), bar, arrow("high", above(scale), scale.lut[scale.lut.length - 1])),
    h("div", { class: "ticks", "aria-hidden": "true" }, ...at.map((value) => {
      const tick = h("span", {}, number(value, places));
      tick.style.left = `${100 * part(scale, value)}%`;
      return tick;
    })),
    sides && h("div", { class: "sides" }, ...SIDES.map((text) => h("span", {}, text))),
    reach && h("div", { class: "reach soft" }, `${reach} ${unit}`)));
}

/** The same drawn into a picture. */
export function drawLegend(context: CanvasRenderingContext2D, scale: Scale, x: number, y: number, width: number, ink: string, { sides, hatched }: Words): void {
  context.fillStyle = ink;
  context.font = "13px system-ui, sans-serif";
  if (scale.classes.length) {
    const columns = Math.max(1, Math.floor(width / 150));
    scale.classes.forEach((name, k) => {
      const [left, top] = [x + (k % columns) * 150, y + Math.floor(k / columns) * 20];
      context.fillStyle = css(scale.lut[k]);
      context.fillRect(left, top, 14, 12);
      context.fillStyle = ink;
      context.fillText(name, left + 20, top + 11);
    });
    return;
  }
  const [left, wide] = [x + ARROW, width - 2 * ARROW];
  for (let i = 0; i < wide; i++) {
    context.fillStyle = css(scale.lut[Math.floor((i / wide) * scale.lut.length)]);
    context.fillRect(left + i, y, 1.5, 12);
  }
  const arrow = (from: number, to: number, colour: number): void => {
    context.beginPath();
    context.moveTo(from, y);
    context.lineTo(to, y + 6);
    context.lineTo(from, y + 12);
    context.fillStyle = css(colour);
    context.fill();
  };
  if (below(scale)) arrow(left, x, scale.lut[0]);
  if (above(scale)) arrow(left + wide, x + width, scale.lut[scale.lut.length - 1]);
  context.fillStyle = ink;
  context.textAlign = "center";
  const at = ticks(scale);
  for (const value of at) context.fillText(number(value, decimals(at)), left + wide * part(scale, value), y + 28);
  context.textAlign = "left";
  const more = [sides ? SIDES.join("   ") : null, beyond(scale), ...hatched.map((kind) => `${["", "lines", "dots"][kind]}: ${HATCHES[kind]}`)].filter(Boolean).join("     ");
  if (more) context.fillText(more, x + width + 24, y + 11);
}
