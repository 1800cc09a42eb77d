// The panel of a place: what the maps say there, how sure they are, and why.
import { geoDistance } from "d3-geo";
import { ownScore, period, scoreOf, skillColour, type App } from "./app";
import { lineChart } from "./charts";
import { comparePlace } from "./comparison";
import { copy, digitsFor, h, number, placeName } from "./dom";
import { pickMonth } from "./source";
import { exact, rowsOf, saveTable, type Column, type Row } from "./tables";
import { FLUXES, MONTHS, type Flux, type Layer, type Score, type Tower } from "./types";

const KILOMETRES = 6371.007;

interface Series {
  mean: number[];
  std: number[];
  q05: number[];
  q95: number[];
  truth?: number[];
}

interface Facts {
  lat: number;
  lon: number;
  fluxes: Record<Flux, Series>;
  constants: Map<string, { layer: Layer; value: number }>;
  drivers: { layer: Layer; line: number[] }[];
}

/** Everything that the atlas holds of a cell in one year. */
async function gather(app: App, cell: number, label: string): Promise<Facts> {
  const { run } = app;
  const fluxes = {} as Record<Flux, Series>;
  const constants: Facts["constants"] = new Map();
  const drivers: Facts["drivers"] = [];
  const jobs = run.index.layers.map(async (layer) => {
    const line = await run.series(layer.name, label, cell);
    if (layer.group === "flux") {
      const [flux, quantity] = layer.name.split(".") as [Flux, keyof Series];
      (fluxes[flux] ??= {} as Series)[quantity] = line;
    } else if (layer.steps > 1) drivers.push({ layer, line });
    else constants.set(layer.name, { layer, value: line[0] });
  });
  await Promise.all(jobs);
  const order = run.index.layers.map((layer) => layer.name);
  drivers.sort((a, b) => order.indexOf(a.layer.name) - order.indexOf(b.layer.name));
  return { ...run.place(cell), fluxes, constants, drivers };
}

export async function placePanel(app: App, host: HTMLElement, current: () => boolean): Promise<void> {
  const { state, run } = app;
  if (!state.cell) {
    host.replaceChildren(welcome(app));
    return;
  }
  const cell = run.at(state.cell.lat, state.cell.lon);
  if (cell < 0) {
    host.replaceChildren(h("h2", { "data-say": "" }, placeName(state.cell.lat, state.cell.lon)), h("p", { class: "note", "data-say": "" }, "No value here: this is sea, ice shelf, or land without drivers. Choose a coloured cell."));
    return;
  }
  const facts = await gather(app, cell, state.label);
  const comparison = await comparePlace(app, facts.lat, facts.lon);
  if (!current()) return;
  const level = host.querySelector("details.numbers")?.hasAttribute("open");
  host.replaceChildren(...parts(app, facts, cell, comparison));
  if (level) host.querySelector("details.numbers")?.setAttribute("open", "");
}

function welcome(app: App): HTMLElement {
  const { run } = app;
  const { about, home } = run.index;
  const ask = (text: string, answer: () => void): HTMLElement => h("li", {}, h("button", { type: "button", class: "ask", click: answer }, text));
  const example = run.index.towers.find((tower) => Object.keys(tower.scores).length);
  return h(
    "div",
    { class: "welcome" },
    h("h2", {}, "Look, click, compare"),
    h("p", {}, `Carbon fluxes of the land, made from flux towers, weather and satellites. Choose a cell of the map to see its season, how sure the estimate is, and which towers stand near.`),
    h("ul", { class: "asks" },
      ask(`How much carbon does ${home ? "the mapped region" : "the Amazon"} take up in July?`, () => app.set({ tab: "regions", region: home ? "mapped region" : "SREX-AMZ", month: 7, flux: "gpp", show: "mean" })),
      ask(`How sure are you ${home ? "in the middle of it" : "about the Congo forest"}?`, () => {
        const centre = home ? nearest(app, home.lat, home.lon) : nearest(app, 0.5, 22);
        if (centre) { app.set({ cell: centre }); app.fly(centre.lat, centre.lon, 3); }
      }),
      example && ask(`How did you do at tower ${example.site}?`, () => { app.set({ tab: "towers", tower: example.site }); app.fly(example.lat, example.lon, 4); }),
    ),
    h("p", { class: "note" }, `What held-out towers say — GPP: ${about.skill.gpp}. RECO: ${about.skill.reco}. NEE: ${about.skill.nee}.`),
  );
}

/** The cell with values nearest to a place. */
function nearest(app: App, lat: number, lon: number): { lat: number; lon: number } | null {
  let best: { lat: number; lon: number } | null = null;
  let least = Infinity;
  for (let cell = 0; cell < app.run.cells; cell++) {
    const place = app.run.place(cell);
    const far = (place.lat - lat) ** 2 + (place.lon - lon) ** 2;
    if (far < least) [best, least] = [place, far];
  }
  return best;
}

function parts(app: App, facts: Facts, cell: number, comparison: HTMLElement[]): (Node | string)[] {
  return [
    heading(app, facts, cell),
    headline(app, facts),
    ...comparison,
    trust(app, facts),
    season(app, facts),
    years(app, cell),
    numbers(app, facts),
    h("h3", {}, "Drivers"),
    h("div", { class: "drivers" }, ...facts.drivers.map(({ layer, line }) => driver(app, layer, line))),
    statics(facts),
    h("h3", {}, "Nearest towers"),
    towers(app, facts),
  ];
}

function heading(app: App, facts: Facts, cell: number): HTMLElement {
  const named = (name: string): string | null => {
    const found = facts.constants.get(name);
    return found && !Number.isNaN(found.value) ? found.layer.classes[found.value] : null;
  };
  const elevation = facts.constants.get("elevation");
  const about = [named("igbp"), named("koppen"), elevation && `${number(elevation.value, 0)} m`].filter((text): text is string => !!text);
  return h(
    "header",
    {},
    h("h2", { "data-say": "" }, placeName(facts.lat, facts.lon, app.run.index.grid.resolution < 1 ? 3 : 1)),
    h("p", { class: "tags" }, ...about.map((text) => h("span", { class: "tag" }, text)), h("span", { class: "soft" }, `cell of ${app.run.index.grid.resolution}°`)),
    h("p", { class: "actions" },
      h("button", { type: "button", click: (e) => void copy(rowsOf(app, columns(app, facts), rows(facts, app.state.label), "\t"), e.currentTarget as HTMLElement) }, "Copy numbers"),
      h("button", { type: "button", id: "csv", click: () => void saveCsv(app, cell) }, "CSV"),
    ),
  );
}

function headline(app: App, facts: Facts): HTMLElement {
  const { state, run } = app;
  const box = h("div", { class: "headline" });
  for (const flux of FLUXES) {
    const own = facts.fluxes[flux];
    const [mean, low, high] = [own.mean, own.q05, own.q95].map((line) => pickMonth(line, state.month));
    box.append(
      h("button", { type: "button", class: `flux ${flux}`, "aria-pressed": String(flux === state.flux), title: run.index.fluxes[flux].long, click: () => app.set({ flux }) },
        h("span", { class: "label" }, run.index.fluxes[flux].short),
        h("span", { class: "big", "data-value": flux }, number(mean)),
        h("span", { class: "soft" }, isBare(facts) ? "set to zero" : `${number(low, 1)} to ${number(high, 1)}`),
      ),
    );
  }
  const own = facts.fluxes[state.flux];
  const said = FLUXES.map((flux) => `${run.index.fluxes[flux].short} ${number(pickMonth(facts.fluxes[flux].mean, state.month))}`).join(", ");
  const range = [own.q05, own.q95].map((line) => number(pickMonth(line, state.month))).join(" to ");
  return h("div", { "data-say": `${period(state)}: ${said} grams of carbon per square metre and day. ${isBare(facts) ? "Set to zero." : `90 % range of ${run.index.fluxes[state.flux].short}: ${range}.`}` }, h("p", { class: "soft caption" }, `${period(state)}, gC m⁻² d⁻¹; below, the 90 % range${run.index.step === "day" ? " of a day" : ""}`), box);
}

/** Whether the fluxes of a cell were set to zero for want of vegetation. */
function isBare(facts: Facts): boolean {
  return facts.constants.get("vegetated")?.value === 0 && FLUXES.every((flux) => facts.fluxes[flux].mean.every((value) => value === 0));
}

/** Towers of the class and climate of a cell with their scores; of its class alone where those are few. */
function kin(app: App, facts: Facts): { name: string; rmse: number; nse: number; n: number } | null {
  const { run, state } = app;
  const named = (id: string): string | undefined => facts.constants.get(id)?.layer.classes[facts.constants.get(id)!.value];
  const [igbp, koppen] = [named("igbp"), named("koppen")];
  if (!igbp) return null;
  const scored = (towers: Tower[]): Score[] => towers.map((tower) => ownScore(app, tower, state.flux)).filter((score): score is Score => score !== null && score.rmse !== null && score.nse !== null);
  const ofClass = run.index.towers.filter((tower) => tower.igbp === igbp);
  const both = scored(ofClass.filter((tower) => tower.koppen === koppen));
  const used = both.length >= 3 ? both : scored(ofClass);
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
  return { name: used === both && koppen ? `${igbp}, ${koppen}` : igbp, n: used.length, rmse: middle(used.map((score) => score.rmse!)), nse: middle(used.map((score) => score.nse!)) };
}

/** Three facts in a fixed order; good only where all of them are. */
function trust(app: App, facts: Facts): HTMLElement {
  const { run, state } = app;
  const { about, step } = run.index;
  const name = run.index.fluxes[state.flux].short;
  if (isBare(facts)) return h("section", { class: "trust poor", "aria-label": "How sure" }, h("h3", {}, "How sure are we here?"),
    h("p", { "data-say": "" }, h("strong", {}, "Set to zero, not an estimate."), " In the land-cover map none of this land carries vegetation. There is no interval."));
  const inside = facts.constants.get("applicability")?.value;
  const far = facts.constants.get("dissimilarity")?.value;
  const own = facts.fluxes[state.flux];
  const [low, high] = [own.q05, own.q95].map((line) => pickMonth(line, state.month));
  const skill = about.skill[state.flux];
  const [near] = nearTowers(app, facts);
  const like = kin(app, facts);
  const checks = [!skill.startsWith("no "), !!like && like.n >= 3 && like.nse > 0, inside === 1];
  const verdict = !checks[0] ? `${name} has no demonstrated skill at unseen places.` : inside !== 1 ? (inside === 0 ? "The towers know little of land like this." : "It is not known how like the towers this land is.")
    : checks[1] ? "The towers know land like this." : like?.n ? "The towers know land like this, but those of its kind were predicted poorly." : "The towers know land like this, but none of its kind was scored.";
  const coverage = about.coverage[state.flux];
  const when = state.month ? MONTHS[state.month - 1] : "the year";
  return h(
    "section",
    { class: `trust ${checks.every(Boolean) ? "good" : "poor"}`, "aria-label": "How sure" },
    h("h3", {}, "How sure are we here?"),
    h("p", { "data-say": "" }, h("strong", {}, verdict)),
    h("ol", { class: "facts" },
      h("li", { class: checks[0] ? null : "warn" }, `${name} at unseen towers: ${skill}.`),
      h("li", {}, like?.n ? `Held-out towers of this kind (${like.name}): ${like.n}, median error (RMSE) ${number(like.rmse)} gC m⁻² d⁻¹ by ${step}, median NSE ${number(like.nse)}.` : "No held-out tower is of this land cover."),
      h("li", {}, near ? `Nearest tower: ${near.tower.site}, ${number(near.far, 0)} km. ` : "", `Dissimilarity ${number(far)}`, run.index.threshold ? ` (inside the area of applicability up to ${number(run.index.threshold)}).` : ".")),
    h("p", {}, step === "day"
      ? `On a single day of ${when} ${name} lies between ${number(low, 1)} and ${number(high, 1)} gC m⁻² d⁻¹, 9 times in 10 (90 % range). The mean of ${when} itself varies less.`
      : `${name} of ${when} lies between ${number(low, 1)} and ${number(high, 1)} gC m⁻² d⁻¹, 9 times in 10 (90 % range).`,
      coverage ? ` At held-out towers ${number(100 * coverage, 0)} % of the observations lay in their range.` : ""),
  );
}

function season(app: App, facts: Facts): HTMLElement {
  const { run, state } = app;
  const own = facts.fluxes[state.flux];
  const { short, long } = run.index.fluxes[state.flux];
  const colour = getComputedStyle(document.documentElement).getPropertyValue(`--${state.flux}`);
  const lines = [{ label: "estimate", values: own.mean, colour }];
  if (own.truth) lines.push({ label: run.index.reference ?? "reference", values: own.truth, colour: getComputedStyle(document.documentElement).getPropertyValue("--ink"), ...{ dash: [5, 4], width: 1.5 } });
  return h(
    "section",
    {},
    h("h3", {}, `${long} through ${state.label === "climatology" ? "the year" : state.label}`),
    lineChart({ title: `Season of ${short}`, x: MONTHS.map((_, m) => m + 1), time: false, lines, unit: "gC m⁻² d⁻¹", mark: state.month,
      band: { low: own.q05, high: own.q95, colour: translucent(colour), label: "90 % range" } }),
    h("p", { class: "soft caption" }, `gC m⁻² d⁻¹${run.index.step === "day" ? "; the range is that of one day, averaged over the month" : ""}`),
  );
}

const translucent = (colour: string): string => `${colour.trim()}38`;

/** All mapped years of the cell, on demand. */
function years(app: App, cell: number): HTMLElement | string {
  const { run, state } = app;
  if (run.index.labels.length < 2) return "";
  const host = h("section", {});
  const show = async (): Promise<void> => {
    const names = ["mean", "q05", "q95"].map((quantity) => `${state.flux}.${quantity}`);
    const [mean, low, high] = await Promise.all(names.map(async (name) => (await Promise.all(run.index.labels.map((label) => run.series(name, label, cell)))).flat()));
    const x = run.index.labels.flatMap((label) => MONTHS.map((_, m) => Date.UTC(Number(label), m, 15) / 1000));
    const colour = getComputedStyle(document.documentElement).getPropertyValue(`--${state.flux}`);
    host.replaceChildren(h("h3", {}, "All years"), lineChart({ title: "All years", x, time: true, unit: "gC m⁻² d⁻¹", lines: [{ label: "estimate", values: mean, colour }],
      band: { low, high, colour: translucent(colour), label: "90 % range" } }));
  };
  host.append(h("button", { type: "button", click: () => void show().catch((error) => app.fail(error, () => void show())) }, `Show all ${run.index.labels.length} years`));
  return host;
}

function numbers(app: App, facts: Facts): HTMLElement {
  const lines = MONTHS.map((month, m) =>
    h("tr", { class: m + 1 === app.state.month ? "marked" : null }, h("th", { scope: "row" }, month.slice(0, 3)),
      ...FLUXES.flatMap((flux) => [h("td", {}, number(facts.fluxes[flux].mean[m])), h("td", { class: "soft" }, `${number(facts.fluxes[flux].q05[m], 1)} … ${number(facts.fluxes[flux].q95[m], 1)}`)])),
  );
  return h("details", { class: "numbers" }, h("summary", {}, "Numbers"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" }, h("table", {},
      h("caption", {}, "Monthly means and 90 % range, gC m⁻² d⁻¹"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Month"), ...FLUXES.map((flux) => h("th", { scope: "col", colspan: 2 }, app.run.index.fluxes[flux].short)))),
      h("tbody", {}, ...lines))));
}

function driver(app: App, layer: Layer, line: number[]): HTMLElement {
  const value = pickMonth(line, app.state.month);
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  return h("figure", {},
    h("figcaption", {}, layer.title, h("b", {}, `${number(value, digitsFor(layer.high - layer.low))} ${layer.unit}`)),
    lineChart({ title: layer.title, x: MONTHS.map((_, m) => m + 1), time: false, lines: [{ label: layer.title, values: line, colour, width: 1.5 }], unit: layer.unit, height: 96, mark: app.state.month, small: true }));
}

function statics(facts: Facts): HTMLElement | string {
  const shown = [...facts.constants.values()].filter(({ layer }) => layer.group === "driver");
  if (!shown.length) return "";
  return h("dl", { class: "pairs" }, ...shown.flatMap(({ layer, value }) => [h("dt", {}, layer.title), h("dd", {}, `${number(value, digitsFor(layer.high - layer.low))} ${layer.unit}`)]));
}

function nearTowers(app: App, facts: Facts): { tower: Tower; far: number }[] {
  return app.run.index.towers
    .map((tower) => ({ tower, far: geoDistance([tower.lon, tower.lat], [facts.lon, facts.lat]) * KILOMETRES }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 4);
}

function towers(app: App, facts: Facts): HTMLElement {
  const near = nearTowers(app, facts);
  return h("ul", { class: "list" }, ...near.map(({ tower, far }) => {
    const nse = scoreOf(app, tower);
    const dot = h("i", { class: "dot", "aria-hidden": "true" });
    dot.style.background = skillColour(nse);
    return h("li", {}, h("button", { type: "button", click: () => { app.set({ tab: "towers", tower: tower.site }); app.fly(tower.lat, tower.lon, 4); } },
      dot, h("b", {}, tower.site), h("span", {}, [tower.igbp, tower.koppen].filter(Boolean).join(", ")), h("span", { class: "soft" }, `${number(far, 0)} km`),
      h("span", { class: "value" }, nse === null ? "not scored" : `NSE ${number(nse)}`)));
  }));
}

const QUANTITIES: Record<keyof Series, string> = {
  mean: "estimate", std: "predictive standard deviation", q05: "lower end of the 90 % range", q95: "upper end of the 90 % range", truth: "reference",
};

/** Columns of the table of a cell. */
function columns(app: App, facts: Facts): Column[] {
  const unit = "gC m-2 d-1; mean over the month";
  const of = app.run.index.step === "day" ? " of one day" : "";
  return [
    { name: "year", means: "year; or climatology" }, { name: "month", means: "1 to 12" },
    ...FLUXES.flatMap((flux) => quantities(facts, flux).map((quantity) => ({ name: `${flux}_${quantity}`, means: `${app.run.index.fluxes[flux].short}: ${quantity === "truth" ? app.run.index.reference : QUANTITIES[quantity]}${/std|q/.test(quantity) ? of : ""}; ${unit}` }))),
    ...facts.drivers.map(({ layer }) => ({ name: layer.name, means: `${layer.title}; ${layer.unit || "no unit"}` })),
    ...[...facts.constants.values()].map(({ layer }) => ({ name: layer.name, means: `${layer.title}${layer.unit ? `; ${layer.unit}` : ""}; the same in all months` })),
  ];
}

const quantities = (facts: Facts, flux: Flux): (keyof Series)[] => (Object.keys(facts.fluxes[flux]) as (keyof Series)[]).sort();

/** The numbers of a cell in a year. */
function rows(facts: Facts, label: string): Row[] {
  return MONTHS.map((_, m) => [
    label, m + 1,
    ...FLUXES.flatMap((flux) => quantities(facts, flux).map((quantity) => exact(facts.fluxes[flux][quantity]![m]))),
    ...facts.drivers.map(({ line }) => exact(line[m])),
    ...[...facts.constants.values()].map(({ layer, value }) => (layer.classes.length ? layer.classes[value]?.split(":")[0] ?? "" : exact(value))),
  ]);
}

/** The cell's series in all years as a CSV file that says what it is. */
async function saveCsv(app: App, cell: number): Promise<void> {
  const { run } = app;
  try {
    const all = await Promise.all(run.index.labels.map(async (label) => ({ label, facts: await gather(app, cell, label) })));
    const { lat, lon } = run.place(cell);
    saveTable(app, `${lat}_${lon}`, `cell with centre ${lat} N ${lon} E`, columns(app, all[0].facts), all.flatMap(({ label, facts }) => rows(facts, label)));
  } catch (error) {
    app.fail(error, () => void saveCsv(app, cell));
  }
}
