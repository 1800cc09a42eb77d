// The key of the colours, on the page and in pictures.
import { css, type Scale } from "./colour";
import { decimals, h, number } from "./dom";

const ticks = (scale: Scale): number[] => [0, 0.25, 0.5, 0.75, 1].map((part) => scale.low + part * (scale.high - scale.low));

/** Decimals of the ticks: exact where the ends are round, else two. */
const places = (scale: Scale): number => Math.min(2, decimals(ticks(scale)));

/** The key on the page; `world` is what a virtual Earth says of itself. */
export function legend(scale: Scale, title: string, unit: string, world: string | null): HTMLElement {
  const badge = world && h("strong", { class: "badge" }, world);
  if (scale.classes.length) {
    return h("div", { class: "legend" }, h("p", {}, title), badge, h("ul", {}, ...scale.classes.map((name, k) => {
      const box = h("i", { "aria-hidden": "true" });
      box.style.background = css(scale.lut[k]);
      return h("li", {}, box, name);
    })));
  }
  const bar = h("div", { class: "ramp", role: "img", "aria-label": `Colours from ${number(scale.low)} to ${number(scale.high)} ${unit}` });
  bar.style.background = `linear-gradient(to right, ${Array.from({ length: 33 }, (_, k) => css(scale.lut[Math.round((k * (scale.lut.length - 1)) / 32)])).join(",")})`;
  return h("div", { class: "legend" }, h("p", {}, title, unit && h("span", { class: "soft" }, ` ${unit}`)), badge, bar, h("div", { class: "ticks", "aria-hidden": "true" }, ...ticks(scale).map((v) => h("span", {}, number(v, places(scale))))));
}

/** The same drawn into a picture; returns its height. */
export function drawLegend(context: CanvasRenderingContext2D, scale: Scale, x: number, y: number, width: number, ink: string): number {
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
    return Math.ceil(scale.classes.length / columns) * 20;
  }
  for (let i = 0; i < width; i++) {
    context.fillStyle = css(scale.lut[Math.floor((i / width) * scale.lut.length)]);
    context.fillRect(x + i, y, 1.5, 12);
  }
  context.fillStyle = ink;
  ticks(scale).forEach((v, k) => {
    context.textAlign = k === 0 ? "left" : k === 4 ? "right" : "center";
    context.fillText(number(v, places(scale)), x + (k / 4) * width, y + 28);
  });
  context.textAlign = "left";
  return 32;
}
