// The panel of towers: which there are, how well each was predicted while no model had seen it, and its records.
import { scoreOf, skillColour, type App } from "./app";
import { lineChart, type Line } from "./charts";
import { h, number, placeName } from "./dom";
import type { Flux, Records, Score, Tower } from "./types";

const DAY = 86400;
const RIVALS = ["#d55e00", "#cc79a7", "#e69f00", "#56b4e9"];

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
  const rows = [...shown].sort((a, b) => (scoreOf(app, b) ?? -99) - (scoreOf(app, a) ?? -99)).map((tower) => row(app, tower));
  return [
    h("h2", {}, "Towers"),
    h("p", {}, `Every score is of a model that never saw the tower. Of ${shown.length} towers, ${scores.length} were scored; median efficiency (NSE) of ${run.index.fluxes[state.flux].short}: `, h("strong", {}, number(median)), "."),
    fluxes(app),
    h("div", { class: "fields" }, select("igbp", "Land cover"), select("koppen", "Climate")),
    key(),
    h("ul", { class: "list" }, ...rows),
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
  const head = h("header", {}, back, h("h2", {}, tower.site),
    h("p", { class: "tags" }, ...tags.map((text) => h("span", { class: "tag" }, text)), h("span", { class: "soft" }, placeName(tower.lat, tower.lon))),
    h("p", { class: "actions" }, h("button", { type: "button", click: () => { app.set({ tab: "place", cell: { lat: tower.lat, lon: tower.lon } }); } }, "The map here"),
      tower.doi && h("a", { class: "button", href: `https://doi.org/${tower.doi}`, rel: "noreferrer" }, "Its data")));
  if (!records) return [head, h("p", { class: "note" }, "This tower was not scored: too few good steps, or in training in every fold.")];
  return [head, fluxes(app), verdict(app, tower), recordsChart(app, records), scoreTable(app, tower)];
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
    h("p", {}, "Without ever seeing this tower, ", h("b", {}, run.index.model), ` was off by `, h("strong", {}, `${number(own.rmse)} gC m⁻² d⁻¹`), ` (RMSE by ${unit}, ${own.n} ${unit}s), on average ${own.bias! >= 0 ? "too high" : "too low"} by ${number(Math.abs(own.bias ?? 0))}. NSE ${number(own.nse)}, r² ${number(own.r2)}.`),
    rivals.length ? h("p", { class: "soft" }, better.length === rivals.length ? `Better than ${rivals.map(([name]) => name).join(", ")}.` : `Not better than ${rivals.filter((r) => !better.includes(r)).map(([name]) => name).join(", ")}.`) : null,
    tower.dissimilarity !== null && h("p", { class: "soft" }, `Dissimilarity to the towers that trained without it: ${number(tower.dissimilarity)}${run.index.threshold ? ` (threshold ${number(run.index.threshold)})` : ""}.`));
}

function recordsChart(app: App, records: Records): HTMLElement {
  const { run, state } = app;
  const part = records.fluxes[state.flux];
  if (!part) return h("p", { class: "note" }, "No records of this flux.");
  const split = run.index.about.split && part.splits[run.index.about.split] ? run.index.about.split : Object.keys(part.splits)[0];
  const models = part.splits[split];
  const spaced = evenly(records.days, run.index.step);
  const real = (values: (number | null)[]): (number | null)[] => spaced.at.map((k) => (k < 0 || values[k] === null ? null : values[k]! * records.quantum));
  const style = getComputedStyle(document.documentElement);
  const colour = style.getPropertyValue(`--${state.flux}`).trim();
  const own = models[run.index.model];
  const lines: Line[] = [{ label: "observed", values: real(part.observed), colour: style.getPropertyValue("--ink"), dots: true, width: 0 }];
  if (own) lines.push({ label: run.index.model, values: real(own.p), colour });
  Object.keys(models).filter((name) => name !== run.index.model).forEach((name, k) => lines.push({ label: name, values: real(models[name].p), colour: RIVALS[k % RIVALS.length], width: 1.25, dash: [4, 3] }));
  const band = own?.lo && own.hi ? { low: real(own.lo), high: real(own.hi), colour: `${colour}38`, label: "90 % range" } : undefined;
  return h("section", {}, h("h3", {}, "Observed and predicted"), lineChart({ title: `${run.index.fluxes[state.flux].short}, observed`, x: spaced.x, time: true, lines, band, unit: "gC m⁻² d⁻¹", height: 260 }),
    h("p", { class: "soft caption" }, "gC m⁻² d⁻¹. Drag to zoom in, double-click to zoom out; choose a name in the legend to hide its line."));
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
  return h("section", {}, h("h3", {}, "Scores and rivals"), h("div", { class: "scroll" }, h("table", {}, h("caption", {}, `${run.index.fluxes[state.flux].short} by ${run.index.step}, gC m⁻² d⁻¹`),
    h("thead", {}, h("tr", {}, ...["Model", "RMSE", "Bias", "NSE", "r²"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows))));
}

const cells = (score: Score): HTMLElement[] => [score.rmse, score.bias, score.nse, score.r2].map((value) => h("td", {}, number(value)));
