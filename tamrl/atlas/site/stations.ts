// The panel of towers: which there are, how well each was predicted while no model had seen it, and its records.
import { scoreOf, skillColour, type App } from "./app";
import { lineChart, type Line as Drawn } from "./charts";
import { h, number, placeName } from "./dom";
import { exact, saveTable, type Column, type Row } from "./tables";
import type { Flux, Prediction, Records, Score, Tower } from "./types";

const DAY = 86400;
const RIVALS = ["#d55e00", "#cc79a7", "#e69f00", "#56b4e9"];

type Order = "worst" | "best" | "name";
const nse = (app: App, tower: Tower, missing: number): number => scoreOf(app, tower) ?? missing;
const ORDERS: Record<Order, { text: string; by: (app: App) => (a: Tower, b: Tower) => number }> = {
  worst: { text: "worst first", by: (app) => (a, b) => nse(app, a, 99) - nse(app, b, 99) },
  best: { text: "best first", by: (app) => (a, b) => nse(app, b, -99) - nse(app, a, -99) },
  name: { text: "by name", by: () => (a, b) => a.site.localeCompare(b.site) },
};
let order: Order = "worst";
let search = "";

/** Towers that the filters leave. */
export function filtered(app: App): Tower[] {
  const { igbp, koppen } = app.state;
  return app.run.index.towers.filter((tower) => (!igbp || tower.igbp === igbp) && (!koppen || tower.koppen === koppen));
}

export async function towersPanel(app: App, host: HTMLElement, current: () => boolean): Promise<void> {
  const tower = app.run.index.towers.find((t) => t.site === app.state.tower);
  if (!tower) {
    host.replaceChildren(...overview(app));
    return;
  }
  const scored = Object.keys(tower.scores).length > 0;
  const records = scored ? await app.run.records(tower.site) : null;
  if (current()) host.replaceChildren(...detail(app, tower, records));
}

function overview(app: App): HTMLElement[] {
  const { run, state } = app;
  const shown = filtered(app);
  const scores = shown.map((tower) => scoreOf(app, tower)).filter((nse): nse is number => nse !== null).sort((a, b) => a - b);
  const median = scores.length ? scores[scores.length >> 1] : null;
  const select = (id: "igbp" | "koppen", name: string): HTMLElement => {
    const kinds = [...new Set(run.index.towers.map((tower) => tower[id]).filter((kind): kind is string => !!kind))].sort();
    const field = h("select", { id: `filter-${id}`, change: () => app.set({ [id]: field.value }) }, h("option", { value: "" }, "all"), ...kinds.map((kind) => h("option", { value: kind, selected: kind === state[id] }, kind)));
    return h("div", { class: "field" }, h("label", { for: `filter-${id}` }, name), field);
  };
  const list = h("ul", { class: "list", id: "tower-list" });
  const fill = (): void => {
    const wanted = search.toLowerCase();
    const fits = (tower: Tower): boolean => [tower.site, tower.network, tower.igbp, tower.koppen].some((text) => text?.toLowerCase().includes(wanted));
    list.replaceChildren(...shown.filter(fits).sort(ORDERS[order].by(app)).map((tower) => row(app, tower)));
  };
  fill();
  const sorter = h("select", { id: "tower-order", change: () => { order = sorter.value as Order; fill(); } }, ...Object.entries(ORDERS).map(([id, { text }]) => h("option", { value: id, selected: id === order }, text)));
  const finder = h("input", { id: "tower-search", type: "search", value: search, placeholder: "Name, class or network", input: () => { search = finder.value; fill(); } });
  return [
    h("h2", { "data-say": "" }, "Towers"),
    h("p", {}, `Every score is of a model that never saw the tower. Of ${shown.length} towers, ${scores.length} were scored; median efficiency (NSE) of ${run.index.fluxes[state.flux].short}: `, h("strong", {}, number(median)), "."),
    fluxes(app),
    h("div", { class: "fields" }, select("igbp", "Land cover"), select("koppen", "Climate")),
    h("div", { class: "fields" }, h("div", { class: "field" }, h("label", { for: "tower-order" }, "Order"), sorter), h("div", { class: "field" }, h("label", { for: "tower-search" }, "Find"), finder)),
    key(),
    list,
  ];
}

function key(): HTMLElement {
  const entry = (nse: number | null, text: string): HTMLElement => {
    const dot = h("i", { class: "dot", "aria-hidden": "true" });
    dot.style.background = skillColour(nse);
    return h("span", {}, dot, text);
  };
  return h("p", { class: "key soft" }, entry(0.7, "NSE 0.5 or more"), entry(0.2, "0 to 0.5"), entry(-1, "below 0: the tower's own mean would do better"), entry(null, "not scored"));
}

function fluxes(app: App): HTMLElement {
  return h("div", { class: "segmented", role: "group", "aria-label": "Flux" }, ...(["gpp", "reco", "nee"] as Flux[]).map((flux) => h("button", { type: "button", "aria-pressed": String(flux === app.state.flux), click: () => app.set({ flux }) }, app.run.index.fluxes[flux].short)));
}

function row(app: App, tower: Tower): HTMLElement {
  const nse = scoreOf(app, tower);
  const dot = h("i", { class: "dot", "aria-hidden": "true" });
  dot.style.background = skillColour(nse);
  return h("li", {}, h("button", { type: "button", click: () => { app.set({ tower: tower.site }); app.fly(tower.lat, tower.lon, 4); } },
    dot, h("b", {}, tower.site), h("span", {}, [tower.igbp, tower.koppen].filter(Boolean).join(", ")), h("span", { class: "value" }, nse === null ? "not scored" : `NSE ${number(nse)}`)));
}

function detail(app: App, tower: Tower, records: Records | null): HTMLElement[] {
  const back = h("button", { type: "button", class: "back", click: () => app.set({ tower: "" }) }, "← All towers");
  const tags = [tower.igbp, tower.koppen, tower.elevation !== null ? `${number(tower.elevation, 0)} m` : null, tower.network].filter((text): text is string => !!text);
  const head = h("header", {}, back, h("h2", { "data-say": "" }, tower.site),
    h("p", { class: "tags" }, ...tags.map((text) => h("span", { class: "tag" }, text)), h("span", { class: "soft" }, placeName(tower.lat, tower.lon))),
    h("p", { class: "actions" }, h("button", { type: "button", click: () => { app.set({ tab: "place", cell: { lat: tower.lat, lon: tower.lon } }); } }, "The map here"),
      tower.doi && h("a", { class: "button", href: `https://doi.org/${tower.doi}`, rel: "noreferrer" }, "Its data")));
  if (!records) return [head, h("p", { class: "note" }, "This tower was not scored: too few good steps, or in training in every fold.")];
  return [head, fluxes(app), verdict(app, tower), recordsChart(app, tower, records), scoreTable(app, tower)];
}

function verdict(app: App, tower: Tower): HTMLElement {
  const { run, state } = app;
  const split = run.index.about.split ?? Object.keys(tower.scores)[0];
  const own = tower.scores[split]?.[run.index.model]?.[state.flux];
  if (!own) return h("p", { class: "note" }, "No score for this flux.");
  const rivals = Object.entries(tower.scores[split]).filter(([model]) => model !== run.index.model);
  const better = rivals.filter(([, scores]) => (scores[state.flux]?.rmse ?? Infinity) > (own.rmse ?? Infinity));
  const unit = run.index.step;
  return h("section", { class: `trust ${(own.nse ?? -1) >= 0 ? "good" : "poor"}`, "aria-label": "How did you do here" },
    h("h3", {}, "How did the model do here?"),
    h("p", { "data-say": "" }, "Without ever seeing this tower, ", h("b", {}, run.index.model), ` was off by `, h("strong", {}, `${number(own.rmse)} gC m⁻² d⁻¹`), ` (RMSE by ${unit}, ${own.n} ${unit}s), on average ${own.bias! >= 0 ? "too high" : "too low"} by ${number(Math.abs(own.bias ?? 0))}. NSE ${number(own.nse)}, r² ${number(own.r2)}.`),
    rivals.length ? h("p", { class: "soft" }, better.length === rivals.length ? `Better than ${rivals.map(([name]) => name).join(", ")}.` : `Not better than ${rivals.filter((r) => !better.includes(r)).map(([name]) => name).join(", ")}.`) : null,
    tower.dissimilarity !== null && h("p", { class: "soft" }, `Dissimilarity to the towers that trained without it: ${number(tower.dissimilarity)}${run.index.threshold ? ` (threshold ${number(run.index.threshold)})` : ""}.`));
}

const MONTHLY = "months";
const FEWEST = 10; // records of a month that has a mean
let period = ""; // what of a record is drawn: a year, its monthly means, or all (empty)
let rivals = false;

/** The records of one flux with dates, in order; null where there are none. */
interface Line {
  days: number[];
  observed: (number | null)[];
  models: Record<string, Prediction>;
}

function lineOf(app: App, records: Records): Line | null {
  const part = records.fluxes[app.state.flux];
  const { split } = app.run.index.about;
  if (!part) return null;
  const real = (values: (number | null)[]): (number | null)[] => values.map((value) => (value === null ? null : value * records.quantum));
  const models = Object.entries(part.splits[split && part.splits[split] ? split : Object.keys(part.splits)[0]]);
  return { days: records.days, observed: real(part.observed), models: Object.fromEntries(models.map(([name, { p, lo, hi }]) => [name, { p: real(p), ...(lo && hi ? { lo: real(lo), hi: real(hi) } : {}) }])) };
}

const yearOf = (day: number): string => new Date(day * DAY * 1000).toISOString().slice(0, 4);

function recordsChart(app: App, tower: Tower, records: Records): HTMLElement {
  const line = lineOf(app, records);
  if (!line) return h("p", { class: "note" }, "No records of this flux.");
  const years = [...new Set(line.days.filter((_, k) => line.observed[k] !== null).map(yearOf))];
  const daily = app.run.index.step === "day";
  const shown = period === MONTHLY || years.includes(period) ? period : daily ? years[years.length - 1] : "";
  const select = h("select", { id: "records-period", change: () => { period = select.value; draw(select.value); } },
    ...(daily ? [h("option", { value: MONTHLY }, "monthly means")] : []), ...years.map((year) => h("option", { value: year }, year)), h("option", { value: "" }, `all ${app.run.index.step}s`));
  select.value = shown;
  const others = h("input", { type: "checkbox", id: "records-rivals", checked: rivals, change: () => { rivals = others.checked; draw(select.value); } });
  const host = h("div", {});
  const draw = (what: string): void => host.replaceChildren(...charts(app, line, what));
  draw(shown);
  return h("section", {}, h("h3", {}, "Observed and predicted"),
    h("div", { class: "fields" }, h("div", { class: "field" }, h("label", { for: "records-period" }, "Records of"), select), h("label", { class: "check" }, others, " other models"), h("button", { type: "button", id: "tower-csv", click: () => saveRecords(app, tower, records) }, "CSV")),
    host, held(app, line));
}

/** Observed and predicted, and below what the model was off by. */
function charts(app: App, line: Line, what: string): HTMLElement[] {
  const { run, state } = app;
  const style = getComputedStyle(document.documentElement);
  const colour = style.getPropertyValue(`--${state.flux}`).trim();
  const ink = style.getPropertyValue("--ink");
  const { x, pick } = what === MONTHLY ? monthly(line) : steps(line, run.index.step, what);
  const own = line.models[run.index.model];
  const [observed, predicted] = [pick(line.observed), own ? pick(own.p) : []];
  const lines: Drawn[] = [{ label: "observed", values: observed, colour: ink, dots: true, width: 0 }];
  if (own) lines.push({ label: run.index.model, values: predicted, colour });
  if (rivals) Object.keys(line.models).filter((name) => name !== run.index.model).forEach((name, k) => lines.push({ label: name, values: pick(line.models[name].p), colour: RIVALS[k % RIVALS.length], width: 1.25, dash: [4, 3] }));
  const band = own?.lo && own.hi && what !== MONTHLY ? { low: pick(own.lo), high: pick(own.hi), colour: `${colour}38`, label: "90 % range" } : undefined;
  const { short } = run.index.fluxes[state.flux];
  const unit = "gC m⁻² d⁻¹";
  const off = predicted.map((value, k) => (value === null || observed[k] === null ? null : value - observed[k]!));
  return [
    lineChart({ title: short, x, time: true, lines, band, unit, height: 240 }),
    ...(own ? [h("h4", {}, `${run.index.model} − observed`), lineChart({ title: `Error of ${short}`, x, time: true, lines: [{ label: "error", values: off, colour, dots: true, width: 0 }], unit, height: 130 })] : []),
    h("p", { class: "soft caption" }, `${unit}. ${what === MONTHLY ? `Means of the days of a month that were measured, of ${FEWEST} at the least. ` : ""}Drag to zoom in, double-click to zoom out; choose a name in the legend to hide its line.`),
  ];
}

interface Picked {
  x: number[];
  pick: (values: (number | null)[]) => (number | null)[];
}

function steps(line: Line, step: "day" | "month", year: string): Picked {
  const spaced = evenly(line.days, step);
  const kept = spaced.at.map((at, k) => [spaced.x[k], at]).filter(([second]) => !year || yearOf(second / DAY) === year);
  return { x: kept.map(([second]) => second), pick: (values) => kept.map(([, at]) => (at < 0 ? null : values[at])) };
}

/** Means over the measured days of each month. */
function monthly(line: Line): Picked {
  const months = new Map<number, number[]>();
  const date = (day: number): Date => new Date(day * DAY * 1000);
  line.days.forEach((day, k) => {
    if (line.observed[k] === null) return;
    const month = Date.UTC(date(day).getUTCFullYear(), date(day).getUTCMonth(), 15) / 1000;
    months.set(month, [...(months.get(month) ?? []), k]);
  });
  const x: number[] = [];
  const last = Math.max(...months.keys());
  for (let at = Math.min(...months.keys()); at <= last; at = Date.UTC(date(at / DAY).getUTCFullYear(), date(at / DAY).getUTCMonth() + 1, 15) / 1000) x.push(at);
  const mean = (values: (number | null)[], at: number[]): number | null => {
    const known = at.map((k) => values[k]).filter((value): value is number => value !== null);
    return known.length < FEWEST ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  return { x, pick: (values) => x.map((at) => mean(values, months.get(at) ?? [])) };
}

/** How often the range of this tower held. */
function held(app: App, line: Line): HTMLElement | null {
  const own = line.models[app.run.index.model];
  if (!own?.lo || !own.hi) return null;
  const known = line.observed.map((value, k) => [value, own.lo![k], own.hi![k]]).filter((row): row is number[] => row.every((value) => value !== null));
  if (!known.length) return null;
  const share = known.filter(([value, low, high]) => value >= low && value <= high).length / known.length;
  return h("p", { id: "held" }, "At this tower the 90 % range held ", h("strong", {}, `${number(100 * share, 0)} %`), ` of ${known.length} observed ${app.run.index.step}s.`);
}

/** All records of the tower as a CSV file. */
function saveRecords(app: App, tower: Tower, records: Records): void {
  const columns: Column[] = [{ name: "date", means: `${app.run.index.step}; local standard time` }];
  const lines: (number | null)[][] = [];
  const unit = "gC m-2 d-1";
  for (const [flux, part] of Object.entries(records.fluxes)) {
    columns.push({ name: `${flux}_observed`, means: `${flux.toUpperCase()} of the tower; ${unit}` });
    lines.push(part.observed);
    for (const [split, models] of Object.entries(part.splits)) {
      for (const [model, { p, lo, hi }] of Object.entries(models)) {
        const name = `${flux}_${model}${split === app.run.index.about.split || !split.endsWith(":tower") ? "" : "_own_drivers"}`;
        const entries: [string, (number | null)[] | undefined, string][] = [["", p, "predicted while the tower was held out"], ["_q05", lo, "lower end of its 90 % range"], ["_q95", hi, "upper end of its 90 % range"]];
        for (const [ending, values, means] of entries) {
          if (!values) continue;
          columns.push({ name: name + ending, means: `${flux.toUpperCase()} by ${model}; ${means}; scheme ${split}; ${unit}` });
          lines.push(values);
        }
      }
    }
  }
  const rows = records.days.map((day, k): Row => [new Date(day * DAY * 1000).toISOString().slice(0, 10), ...lines.map((values) => exact(values[k] === null ? null : values[k]! * records.quantum))]);
  saveTable(app, tower.site, `tower ${tower.site}; ${tower.lat} N ${tower.lon} E; land cover ${tower.igbp ?? "not stated"}`, columns, rows);
}

/** Steps without records become gaps: positions in the records, -1 where there is none. */
function evenly(days: number[], step: "day" | "month"): { x: number[]; at: number[] } {
  const known = new Map(days.map((day, k) => [day, k]));
  const x: number[] = [];
  const at: number[] = [];
  const last = days[days.length - 1];
  for (let day = days[0]; day <= last; day = next(day, step)) {
    x.push(day * DAY);
    at.push(known.get(day) ?? -1);
  }
  return { x, at };
}

function next(day: number, step: "day" | "month"): number {
  if (step === "day") return day + 1;
  const date = new Date(day * DAY * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()) / 1000 / DAY;
}

function scoreTable(app: App, tower: Tower): HTMLElement {
  const { run, state } = app;
  const rows: HTMLElement[] = [];
  for (const [split, models] of Object.entries(tower.scores)) {
    for (const [model, scores] of Object.entries(models)) {
      const score = scores[state.flux];
      if (score) rows.push(h("tr", { class: model === run.index.model && split === run.index.about.split ? "marked" : null }, h("th", { scope: "row" }, `${model}${split.endsWith(":tower") ? ", own drivers" : ""}`), ...cells(score)));
    }
  }
  return h("section", {}, h("h3", {}, "Scores and rivals"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" }, h("table", {}, h("caption", {}, `${run.index.fluxes[state.flux].short} by ${run.index.step}, gC m⁻² d⁻¹`),
    h("thead", {}, h("tr", {}, ...["Model", "RMSE", "Bias", "NSE", "r²"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows))));
}

const cells = (score: Score): HTMLElement[] => [score.rmse, score.bias, score.nse, score.r2].map((value) => h("td", {}, number(value)));
