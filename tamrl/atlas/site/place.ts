// The panel of a place: what the maps say there, how sure they are, and why.
import { geoDistance } from "d3-geo";
import { period, scoreOf, skillColour, type App } from "./app";
import { lineChart } from "./charts";
import { cell as csvCell, comment } from "./csv";
import { copy, digitsFor, download, h, number, placeName } from "./dom";
import { pickMonth } from "./source";
import { FLUXES, MONTHS, type Flux, type Layer } from "./types";

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
    host.replaceChildren(h("h2", {}, placeName(state.cell.lat, state.cell.lon)), h("p", { class: "note" }, "No value here: this is sea, ice shelf, or land without drivers. Choose a coloured cell."));
    return;
  }
  const facts = await gather(app, cell, state.label);
  if (!current()) return;
  const level = host.querySelector("details.numbers")?.hasAttribute("open");
  host.replaceChildren(...parts(app, facts, cell));
  if (level) host.querySelector("details.numbers")?.setAttribute("open", "");
}

function welcome(app: App): HTMLElement {
  const { run } = app;
  const { about } = run.index;
  const ask = (text: string, answer: () => void): HTMLElement => h("li", {}, h("button", { type: "button", class: "ask", click: answer }, text));
  const example = run.index.towers.find((tower) => Object.keys(tower.scores).length);
  return h(
    "div",
    { class: "welcome" },
    h("h2", {}, "Look, click, compare"),
    h("p", {}, `Carbon fluxes of the land, made from flux towers, weather and satellites. Choose a cell of the map to see its season, how sure the estimate is, and which towers stand near.`),
    h("ul", { class: "asks" },
      ask("How much carbon does the Amazon take up in July?", () => app.set({ tab: "regions", region: "SREX-AMZ", month: 7, flux: "gpp", show: "mean" })),
      ask("How sure are you about the Congo forest?", () => {
        const centre = nearest(app, 0.5, 22);
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

function parts(app: App, facts: Facts, cell: number): (Node | string)[] {
  return [
    heading(app, facts, cell),
    headline(app, facts),
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
    h("h2", {}, placeName(facts.lat, facts.lon, app.run.index.grid.resolution < 1 ? 3 : 1)),
    h("p", { class: "tags" }, ...about.map((text) => h("span", { class: "tag" }, text)), h("span", { class: "soft" }, `cell of ${app.run.index.grid.resolution}°`)),
    h("p", { class: "actions" },
      h("button", { type: "button", click: (e) => void copy(table(app, facts, "\t"), e.currentTarget as HTMLElement) }, "Copy numbers"),
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
        h("span", { class: "soft" }, `${number(low, 1)} to ${number(high, 1)}`),
      ),
    );
  }
  return h("div", {}, h("p", { class: "soft caption" }, `${period(state)}, gC m⁻² d⁻¹; below, the 90 % range`), box);
}

function trust(app: App, facts: Facts): HTMLElement {
  const { run, state } = app;
  const { about } = run.index;
  const inside = facts.constants.get("applicability")?.value;
  const far = facts.constants.get("dissimilarity")?.value;
  const own = facts.fluxes[state.flux];
  const [mean, std, low, high] = [own.mean, own.std, own.q05, own.q95].map((line) => pickMonth(line, state.month));
  const name = run.index.fluxes[state.flux].short;
  const coverage = about.coverage[state.flux];
  const unit = run.index.step === "day" ? "day" : "month";
  const verdict = inside === 1 ? "The towers know land like this." : inside === 0 ? "The towers know little of land like this." : "It is not known how like the towers this land is.";
  const skill = about.skill[state.flux];
  return h(
    "section",
    { class: `trust ${inside === 1 ? "good" : "poor"}`, "aria-label": "How sure" },
    h("h3", {}, "How sure are we here?"),
    h("p", {}, h("strong", {}, verdict), ` Dissimilarity ${number(far)}`, run.index.threshold ? ` (inside the area of applicability up to ${number(run.index.threshold)}).` : "."),
    h("p", {}, `${name}: ${number(mean)} ± ${number(std)}; 90 % of what a tower would measure in one ${unit} here should lie between ${number(low)} and ${number(high)} gC m⁻² d⁻¹.`,
      coverage ? ` Of the observations at held-out towers ${number(100 * coverage, 0)} % did.` : ""),
    h("p", { class: skill.startsWith("no ") ? "warn" : "soft" }, `${name}: ${skill}.`),
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
  const rows = MONTHS.map((month, m) =>
    h("tr", { class: m + 1 === app.state.month ? "marked" : null }, h("th", { scope: "row" }, month.slice(0, 3)),
      ...FLUXES.flatMap((flux) => [h("td", {}, number(facts.fluxes[flux].mean[m])), h("td", { class: "soft" }, `${number(facts.fluxes[flux].q05[m], 1)} … ${number(facts.fluxes[flux].q95[m], 1)}`)])),
  );
  return h("details", { class: "numbers" }, h("summary", {}, "Numbers"),
    h("div", { class: "scroll" }, h("table", {},
      h("caption", {}, "Monthly means and 90 % range, gC m⁻² d⁻¹"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), ...FLUXES.map((flux) => h("th", { scope: "col", colspan: 2 }, app.run.index.fluxes[flux].short)))),
      h("tbody", {}, ...rows))));
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

function towers(app: App, facts: Facts): HTMLElement {
  const near = app.run.index.towers
    .map((tower) => ({ tower, far: geoDistance([tower.lon, tower.lat], [facts.lon, facts.lat]) * KILOMETRES }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 4);
  return h("ul", { class: "list" }, ...near.map(({ tower, far }) => {
    const nse = scoreOf(app, tower);
    const dot = h("i", { class: "dot", "aria-hidden": "true" });
    dot.style.background = skillColour(nse);
    return h("li", {}, h("button", { type: "button", click: () => { app.set({ tab: "towers", tower: tower.site }); app.fly(tower.lat, tower.lon, 4); } },
      dot, h("b", {}, tower.site), h("span", {}, [tower.igbp, tower.koppen].filter(Boolean).join(", ")), h("span", { class: "soft" }, `${number(far, 0)} km`),
      h("span", { class: "value" }, nse === null ? "not scored" : `NSE ${number(nse)}`)));
  }));
}

/** All numbers of the cell as text; the last column says where the world is virtual. */
function table(app: App, facts: Facts, separator: string): string {
  const world = app.run.index.virtual_earth;
  const head = ["year", "month", ...FLUXES.flatMap((flux) => Object.keys(facts.fluxes[flux]).sort().map((quantity) => `${flux}_${quantity}`)), ...facts.drivers.map(({ layer }) => layer.name), ...(world ? ["virtual_earth"] : [])];
  const rows = MONTHS.map((_, m) => [
    app.state.label, m + 1,
    ...FLUXES.flatMap((flux) => Object.keys(facts.fluxes[flux]).sort().map((quantity) => exact(facts.fluxes[flux][quantity as keyof Series]![m]))),
    ...facts.drivers.map(({ line }) => exact(line[m])),
    ...(world ? [world] : []),
  ]);
  return [head, ...rows].map((row) => row.map((value) => csvCell(value, separator)).join(separator)).join("\n");
}

const exact = (value: number): number => Number(value.toFixed(4));

/** The cell's series in all years as a CSV file that says what it is. */
async function saveCsv(app: App, cell: number): Promise<void> {
  const { run } = app;
  try {
    const all = await Promise.all(run.index.labels.map(async (label) => ({ label, facts: await gather(app, cell, label) })));
    const { lat, lon } = run.place(cell);
    const about = [`${run.index.title}, run ${run.index.run}, cell ${lat} N ${lon} E, fluxes in gC m-2 d-1`, ...(run.index.virtual_earth ? [run.index.virtual_earth] : []), ...Object.entries(run.index.about.digests).map(([name, value]) => `${name}: ${value}`), run.index.about.cite].map(comment);
    const bodies = all.map(({ label, facts }, k) => table({ ...app, state: { ...app.state, label }, run } as App, facts, ",").split("\n").slice(k ? 1 : 0).join("\n"));
    download(`${run.index.run}_${lat}_${lon}.csv`, new Blob([[...about, ...bodies].join("\n") + "\n"], { type: "text/csv" }));
  } catch (error) {
    app.fail(error, () => void saveCsv(app, cell));
  }
}
