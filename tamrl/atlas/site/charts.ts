// Lines with a band (uPlot), and bars with their intervals (SVG).
import uPlot from "uplot";
import { decimals, h, mass, number, s } from "./dom";

export interface Line {
  label: string;
  values: (number | null)[];
  colour: string;
  dash?: number[];
  dots?: boolean;
  width?: number;
}

export interface Chart {
  title: string;
  /** Months 1 to 12, or seconds since 1970. */
  x: number[];
  time: boolean;
  lines: Line[];
  band?: { low: (number | null)[]; high: (number | null)[]; colour: string; label: string };
  unit: string;
  height?: number;
  /** The x that is marked. */
  mark?: number;
  /** One line less: no legend, small axes. */
  small?: boolean;
}

const LETTERS = ["J", "F", "M", "A", "M", "J", "J", "A", "S", "O", "N", "D"];
const clean = (values: (number | null)[]): (number | null)[] => values.map((v) => (v === null || Number.isNaN(v) ? null : v));
const alive = new Set<{ plot: uPlot; host: HTMLElement }>();

new ResizeObserver(() => {
  for (const chart of alive) {
    if (!chart.host.isConnected) {
      chart.plot.destroy();
      alive.delete(chart);
    } else if (chart.host.clientWidth) chart.plot.setSize({ width: chart.host.clientWidth, height: chart.plot.height });
  }
}).observe(document.documentElement);

/** Draw a chart into a new element; it is drawn once the element is in the page. */
export function lineChart(chart: Chart): HTMLElement {
  const host = h("div", { class: "plot", role: "img", "aria-label": describe(chart) });
  const wait = (): void => {
    if (host.isConnected && host.clientWidth) alive.add({ plot: new uPlot(options(chart, host.clientWidth), data(chart), host), host });
    else if (tries++ < 60) requestAnimationFrame(wait);
  };
  let tries = 0;
  requestAnimationFrame(wait);
  return host;
}

function describe(chart: Chart): string {
  const ends = (values: (number | null)[]): string | null => {
    const all = values.filter((v): v is number => v !== null && !Number.isNaN(v));
    return all.length ? `${number(Math.min(...all))} to ${number(Math.max(...all))}` : null;
  };
  const line = ends(chart.lines[0].values);
  if (!line) return `${chart.title}: no values`;
  const band = chart.band && ends([...chart.band.low, ...chart.band.high]);
  return `${chart.title}: ${chart.lines[0].label} ${line} ${chart.unit}${band ? `; ${chart.band!.label} within ${band}` : ""}`;
}

function data(chart: Chart): uPlot.AlignedData {
  const band = chart.band ? [clean(chart.band.high), clean(chart.band.low)] : [];
  return [chart.x, ...band, ...chart.lines.map((line) => clean(line.values))];
}

function options(chart: Chart, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const [ink, grid] = [style.getPropertyValue("--soft"), style.getPropertyValue("--line")];
  const font = "12px system-ui, sans-serif";
  const value = (_: uPlot, v: number | null, __: number, at: number | null): string => (at === null ? "" : number(v, 2));
  const colours = [grid, ...(chart.band ? [chart.band.colour, chart.band.colour] : []), ...chart.lines.map((line) => line.colour)];
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 } };
  const edge = { width: 0, value, points: { show: false } };
  const edges = chart.band ? [{ ...edge, label: `${chart.band.label}: high`, stroke: chart.band.colour }, { ...edge, label: "low", stroke: chart.band.colour }] : [];
  return {
    width,
    height: chart.height ?? 210,
    padding: [10, 8, 0, 0],
    cursor: { y: false, points: { size: 7 } },
    legend: { show: !chart.small, markers: { width: 0, fill: (_, k) => colours[k] } },
    scales: { x: chart.time ? { time: true } : { time: false, range: [0.5, 12.5] } },
    axes: [
      chart.time
        ? { ...axis, size: 48 }
        : { ...axis, size: 28, grid: { show: false }, splits: () => (chart.small ? [1, 4, 7, 10] : chart.x), values: (_, at) => at.map((m) => LETTERS[m - 1] ?? "") },
      { ...axis, size: chart.small ? 40 : 46, space: chart.small ? 22 : 34, values: (_, at) => at.map((v) => number(v, decimals(at))) },
    ],
    series: [
      { label: chart.time ? "Date" : "Month", value: (_, v) => xName(chart, v) },
      ...edges,
      ...chart.lines.map((line) => ({
        label: line.label,
        stroke: line.colour,
        width: line.width ?? 2,
        dash: line.dash,
        value,
        points: { show: !!line.dots, size: 4, fill: line.colour, width: 0 },
        paths: line.width === 0 ? () => null : undefined,
      })),
    ],
    bands: chart.band ? [{ series: [1, 2], fill: chart.band.colour }] : undefined,
    hooks: { drawClear: [(plot) => markMonth(plot, chart, style.getPropertyValue("--highlight"))], drawAxes: [(plot) => zero(plot, ink)] },
  };
}

function xName(chart: Chart, v: number | null): string {
  if (v === null) return "";
  return chart.time ? new Date(v * 1000).toISOString().slice(0, 10) : ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][v - 1];
}

function markMonth(plot: uPlot, chart: Chart, colour: string): void {
  if (!chart.mark) return;
  const left = plot.valToPos(chart.mark - 0.5, "x", true);
  const right = plot.valToPos(chart.mark + 0.5, "x", true);
  plot.ctx.fillStyle = colour;
  plot.ctx.fillRect(left, plot.bbox.top, right - left, plot.bbox.height);
}

function zero(plot: uPlot, colour: string): void {
  const y = plot.valToPos(0, "y", true);
  if (y < plot.bbox.top || y > plot.bbox.top + plot.bbox.height) return;
  plot.ctx.save();
  plot.ctx.strokeStyle = colour;
  plot.ctx.lineWidth = 1;
  plot.ctx.beginPath();
  plot.ctx.moveTo(plot.bbox.left, y);
  plot.ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
  plot.ctx.stroke();
  plot.ctx.restore();
}

export interface Bar extends Span {
  name: string;
  title?: string;
  marked?: boolean;
  choose?: () => void;
}

/** Horizontal bars from zero, with their intervals; `published` is a range drawn behind the first. */
export function bars(rows: Bar[], colour: string, unit: string, published?: { low: number; high: number }): HTMLElement {
  const low = Math.min(0, ...rows.flatMap((r) => [r.least, r.truth ?? 0]), published?.low ?? 0);
  const high = Math.max(0, ...rows.flatMap((r) => [r.most, r.truth ?? 0]), published?.high ?? 0);
  const at = (value: number): number => (100 * (value - low)) / (high - low || 1);
  const list = h("ul", { class: "bars" });
  rows.forEach((row, k) => {
    const [from, to] = [at(Math.min(0, row.mean)), at(Math.max(0, row.mean))];
    const picture = s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    if (k === 0 && published) {
      picture.append(s("rect", { class: "published", x: at(published.low), width: at(published.high) - at(published.low), y: 0, height: 10 }));
    }
    picture.append(s("rect", { x: from, width: Math.max(0.3, to - from), y: 2, height: 6, fill: colour, rx: 0.4 }));
    picture.append(s("line", { class: "range", x1: at(row.least), x2: at(row.most), y1: 5, y2: 5 }));
    picture.append(s("line", { class: "zero", x1: at(0), x2: at(0), y1: 0, y2: 10 }));
    if (known(row.truth)) picture.append(s("line", { class: "truth", x1: at(row.truth), x2: at(row.truth), y1: 0, y2: 10 }));
    const text = inWords(row, unit);
    const label = row.choose
      ? h("button", { type: "button", class: "name", title: row.title, "aria-pressed": String(!!row.marked), click: row.choose }, row.name)
      : h("span", { class: "name", title: row.title }, row.name);
    const item = h("li", { class: row.marked ? "marked" : null, title: text }, label, picture as unknown as HTMLElement, h("span", { class: "value" }, mass(row.mean)));
    list.append(item);
  });
  return list;
}

const known = (value: number | null | undefined): value is number => value !== null && value !== undefined;

const inWords = (bar: Span, unit: string): string =>
  `${mass(bar.mean)} ${unit}, 90 % interval ${mass(bar.least)} to ${mass(bar.most)}${known(bar.truth) ? `, truth ${mass(bar.truth)}` : ""}`;

export interface Span {
  mean: number;
  least: number;
  most: number;
  truth?: number | null;
}

/** Upright bars of the twelve months, the chosen one marked. */
export function monthBars(totals: (Span | null)[], colour: string, unit: string, month: number, choose: (month: number) => void): HTMLElement {
  const drawn = totals.filter((t) => t !== null);
  const low = Math.min(0, ...drawn.flatMap((t) => [t.least, t.truth ?? 0]));
  const high = Math.max(0, ...drawn.flatMap((t) => [t.most, t.truth ?? 0]));
  const at = (value: number): number => 100 - (100 * (value - low)) / (high - low || 1);
  const list = h("ol", { class: "months" });
  totals.forEach((total, k) => {
    const picture = s("svg", { viewBox: "0 0 10 100", preserveAspectRatio: "none", "aria-hidden": "true" });
    if (total) {
      const [top, bottom] = [at(Math.max(0, total.mean)), at(Math.min(0, total.mean))];
      picture.append(s("rect", { x: 1.5, width: 7, y: top, height: Math.max(0.5, bottom - top), fill: colour }));
      picture.append(s("line", { class: "range", x1: 5, x2: 5, y1: at(total.most), y2: at(total.least) }));
      if (known(total.truth)) picture.append(s("line", { class: "truth", x1: 0.5, x2: 9.5, y1: at(total.truth), y2: at(total.truth) }));
    }
    picture.append(s("line", { class: "zero", x1: 0, x2: 10, y1: at(0), y2: at(0) }));
    const text = `${xName({ time: false } as Chart, k + 1)}: ${total ? inWords(total, unit) : "no value"}`;
    const button = h("button", { type: "button", title: text, "aria-label": text, "aria-pressed": String(k + 1 === month), click: () => choose(k + 1) }, picture as unknown as HTMLElement, h("span", {}, LETTERS[k]));
    list.append(h("li", {}, button));
  });
  return list;
}
