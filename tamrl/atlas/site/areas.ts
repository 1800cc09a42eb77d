// The panel of regions: what each takes up and releases, month by month, and the year's budgets beside published ones.
import type { App } from "./app";
import { bars, monthBars, type Bar } from "./charts";
import { compareRegion } from "./comparison";
import { digitsOfError, h, mass, number } from "./dom";
import { exact, saveTable, type Column, type Row } from "./tables";
import { FLUXES, MONTHS, type Compared, type Flux, type Regions, type Total } from "./types";

const CLASSES: Record<string, string> = {
  ENF: "Evergreen needleleaf forest", EBF: "Evergreen broadleaf forest", DNF: "Deciduous needleleaf forest", DBF: "Deciduous broadleaf forest", MF: "Mixed forest",
  CSH: "Closed shrubland", OSH: "Open shrubland", WSA: "Woody savanna", SAV: "Savanna", GRA: "Grassland", WET: "Wetland", CRO: "Cropland", URB: "Urban land",
  CVM: "Cropland mosaic", SNO: "Snow and ice", BSV: "Barren land", WAT: "Water",
};
const HEADINGS = { polygon: "Your polygons", globe: "The Earth", mapped: "The mapped region", region: "Regions (IPCC SREX)", band: "Latitude bands", class: "Land-cover classes" } as const;

/** Share of the land from which on a reference counts as complete. */
const COMPLETE = 0.999;

export function regionName(regions: Regions, code: string): string {
  if (code === "globe") return "All land";
  if (code === "mapped region") return "All mapped land";
  if (regions.outlines[code]) return regions.outlines[code].name;
  if (CLASSES[code]) return CLASSES[code];
  return code.replace(/(\d+)([NS])?-(\d+)([NS])?/, (_, a, ns1, b, ns2) => `${a}°${ns1 ? ` ${ns1}` : ""} to ${b}°${ns2 ? ` ${ns2}` : ""}`);
}

export async function regionsPanel(app: App, host: HTMLElement, current: () => boolean): Promise<void> {
  const regions = await app.run.regions();
  await app.polygons.ensure(app.run, regions, app.state.label);
  if (!current()) return;
  const totals = regions.totals[app.state.label];
  const region = totals[app.state.region] ? app.state.region : totals["globe"] ? "globe" : "mapped region";
  const comparison = await compareRegion(app, region);
  if (!current()) return;
  host.replaceChildren(chooser(app, regions, region), fileChooser(app), sentence(app, regions, region), ...comparison, months(app, regions, region), budgets(app, regions, region));
}

function chooser(app: App, regions: Regions, region: string): HTMLElement {
  const select = h("select", { id: "region", change: () => choose(app, regions, select.value) });
  for (const kind of ["polygon", "globe", "mapped", "region", "band", "class"] as const) {
    const group = h("optgroup", { label: HEADINGS[kind] });
    const codes = Object.keys(regions.kinds).filter((code) => regions.kinds[code] === kind && regions.area[code] > 0);
    codes.sort((a, b) => (kind === "region" ? regionName(regions, a).localeCompare(regionName(regions, b)) : 0));
    for (const code of codes) group.append(h("option", { value: code, selected: code === region }, regionName(regions, code)));
    if (codes.length) select.append(group);
  }
  return h("div", { class: "row" }, h("div", { class: "field" }, h("label", { for: "region" }, "Region"), select), h("button", { type: "button", id: "regions-csv", title: "All regions, months and fluxes", click: () => saveRegions(app, regions) }, "CSV"));
}

/** Polygons of the reader's own: a file is chosen here, or dropped on the page. */
function fileChooser(app: App): HTMLElement {
  const { file, problem, busy } = app.polygons;
  const field = h("input", { type: "file", id: "polygons-file", class: "unseen", accept: ".geojson,.json,application/geo+json", change: () => {
    const [chosen] = field.files ?? [];
    field.value = ""; // the same file may be chosen again
    if (chosen) void app.openPolygons(chosen);
  } });
  return h("section", { class: "polygons" },
    h("div", { class: "row" }, field, h("label", { class: "button", for: "polygons-file" }, "Your own polygons …"), file && h("button", { type: "button", id: "polygons-remove", click: () => app.removePolygons() }, "Remove")),
    h("p", { class: "soft caption" }, file ? `${file}, summed in this browser; nothing was uploaded.` : "A GeoJSON file; or drop it on the page. It is summed in this browser, and nothing is uploaded."),
    busy && h("p", { role: "status" }, "Summing …"),
    problem && h("p", { class: "problem", role: "alert" }, problem));
}

/** All regions, months and fluxes of all years as a CSV file. */
function saveRegions(app: App, regions: Regions): void {
  const columns: Column[] = [
    { name: "region", means: "code of the region" }, { name: "name", means: "its name" }, { name: "kind", means: "globe; band of latitude; IGBP class; region of SREX; or polygon of a file of the reader" },
    { name: "area_m2", means: "its land; m2" }, { name: "flux", means: "gpp; reco; or nee" }, { name: "year", means: "year; or climatology" }, { name: "month", means: "1 to 12; 0 is the year" },
    { name: "mean", means: "mean of the members; PgC of the month or of the year" }, { name: "std", means: "standard deviation of the error of that total; PgC; of the members and of what all get wrong together" },
    { name: "q05", means: "lower end of its 90 % interval; PgC" }, { name: "q95", means: "upper end of its 90 % interval; PgC" },
    ...(hasReference(app, regions) ? [
      { name: "reference", means: `total of the ${app.run.index.reference} over the cells and months with it and the estimate; PgC; empty for classes` },
      { name: "compared_estimate", means: "total of the estimate over the same cells and months; PgC" },
      { name: "compared_share", means: "their share of the land and months with an estimate" },
    ] : []),
  ];
  const rows = Object.entries(regions.totals).flatMap(([label, of]) => Object.entries(of).flatMap(([code, fluxes]) => FLUXES.flatMap((flux) => fluxes[flux].map((total, month): Row => [
    code, regionName(regions, code), regions.kinds[code], regions.area[code], flux, label, month, ...(total ?? [null, null, null, null]).map((value) => exact(value, 6)),
    ...(columns.length > 11 ? (regions.reference?.[label]?.[code]?.[flux][month] ?? [null, null, null]).map((value) => exact(value, 6)) : []),
  ]))));
  saveTable(app, "regions", "totals of regions", columns, rows);
}

export function choose(app: App, regions: Regions, region: string): void {
  app.set({ region, tab: "regions" });
  const corners = regions.outlines[region]?.rings.flat();
  if (!corners) return;
  const [[west, east], [south, north]] = [0, 1].map((axis) => corners.reduce(([low, high], corner) => [Math.min(low, corner[axis]), Math.max(high, corner[axis])], [Infinity, -Infinity]));
  const wide = Math.max(east - west, 2 * (north - south), 1);
  app.fly((south + north) / 2, (west + east) / 2, Math.max(1, Math.min(regions.kinds[region] === "polygon" ? 20 : 5, 170 / wide)));
}

/** The answer in words. */
function sentence(app: App, regions: Regions, region: string): HTMLElement {
  const { state } = app;
  const { about, reference } = app.run.index;
  const of = regions.totals[state.label][region];
  const pick = (flux: Flux): Total | null => of[flux][state.month];
  const [gpp, reco, nee] = [pick("gpp"), pick("reco"), pick("nee")];
  const year = state.label === "climatology" ? "a mean year" : state.label;
  const when = state.month ? `In ${MONTHS[state.month - 1]} of ${year}` : `In ${year}`;
  const name = regionName(regions, region);
  if (!gpp || !reco || !nee) return h("p", { class: "note" }, `No values of ${name} in this month.`);
  const answer = (flux: Flux, [mean, std]: Total, sign: number): (Node | string)[] => {
    const digits = digitsOfError(std, mean);
    const [theirs, mine, share] = comparedOf(app, regions, region, flux, state.month) ?? [null, 0, 0];
    const part = share < COMPLETE ? `, estimate ${number(sign * mine, digits)}, on the ${number(100 * share, share < 0.1 ? 1 : 0)} % of the land that it covers` : "";
    return [h("strong", { "data-answer": flux }, `${number(sign * mean, digits)} PgC`), std === null ? "" : ` ± ${number(std, digits)}`, theirs === null ? "" : ` (${reference} ${number(sign * theirs, digits)}${part})`];
  };
  return h(
    "section",
    { class: "answer" },
    h("h2", { "data-say": "" }, name),
    h("p", { "data-say": "" }, `${when} its plants take up `, ...answer("gpp", gpp, 1), " of carbon (GPP) and its ecosystems release ", ...answer("reco", reco, 1), " (RECO): a net ",
      nee[0] < 0 ? "uptake" : "release", " of ", ...answer("nee", nee, nee[0] < 0 ? -1 : 1), "."),
    intervals(app, regions, region, { gpp, reco, nee }),
    regions.kinds[region] === "polygon" && !("globe" in regions.kinds) && h("p", { class: "warn" }, "This run maps one region of the Earth: land of the polygon beyond it is not in these numbers."),
    h("p", { class: "soft" }, "± is one standard deviation of the error of the total: what the members disagree on, and what all of them get wrong together, learnt at held-out towers."),
    coverageOfRegions(app, regions),
    h("p", { class: "soft caption" }, `${number(regions.area[region] / 1e12, 2)} million km² of land. 1 PgC = 10⁹ t of carbon.`),
    about.skill.nee.startsWith("no ") && h("p", { class: "warn" }, `Take the net with care. NEE: ${about.skill.nee}.`),
  );
}

/** How often the intervals of regions by month hold the reference, where it covers enough of them. */
function coverageOfRegions(app: App, regions: Regions): HTMLElement | null {
  const { state, run } = app;
  const cases = Object.keys(regions.reference?.[state.label] ?? {}).filter((code) => regions.kinds[code] === "region").flatMap((code) =>
    MONTHS.map((_, m) => [filled(app, regions, code, state.flux, m + 1), regions.totals[state.label][code]?.[state.flux][m + 1]] as const)).filter(([value, total]) => value !== null && total && (value || total[0]));
  if (!cases.length) return null;
  const inside = cases.filter(([value, total]) => total![2] <= value! && value! <= total![3]).length;
  const share = inside / cases.length;
  return h("p", { id: "held-regions", class: share < 0.8 ? "warn" : "soft" },
    `${run.index.fluxes[state.flux].short} of ${Object.values(regions.kinds).filter((kind) => kind === "region").length} regions by month: the 90 % intervals hold the ${run.index.reference} in ${number(100 * share, 0)} % of ${cases.length} cases.${share < 0.8 ? " They are too narrow in this run." : ""}`);
}

/** The 90 % intervals of the totals, and the means over the land with theirs. */
function intervals(app: App, regions: Regions, region: string, totals: Record<Flux, Total>): HTMLElement {
  const { state, run } = app;
  const days = run.index.sums?.days[state.label];
  const length = days && (state.month ? days[state.month - 1] : days.reduce((sum, value) => sum + value, 0));
  const each = (factor: number): string => FLUXES.map((flux) => {
    const [mean, std, low, high] = totals[flux].map((value) => (value ?? NaN) * factor);
    const digits = digitsOfError(std, mean);
    return `${run.index.fluxes[flux].short} ${number(mean, digits)} (${number(low, digits)} to ${number(high, digits)})`;
  }).join(", ");
  return h("div", { id: "intervals" }, h("p", {}, `Total and 90 % interval: ${each(1)} PgC.`),
    length ? h("p", {}, `Mean of its land: ${each(1e15 / (regions.area[region] * length))} gC m⁻² d⁻¹.`) : null);
}

const hasReference = (app: App, regions: Regions): boolean => !!app.run.index.reference && Object.keys(regions.reference ?? {}).length > 0;

/** The gridded reference and the estimate over the cells and months with both. */
function comparedOf(app: App, regions: Regions, region: string, flux: Flux, month: number): Compared | null {
  return regions.reference?.[app.state.label]?.[region]?.[flux][month] ?? null;
}

/** The reference beside the total of all land, PgC: its gaps are filled with the estimate; null where there are too many. */
function filled(app: App, regions: Regions, region: string, flux: Flux, month: number): number | null {
  const [compared, total] = [comparedOf(app, regions, region, flux, month), regions.totals[app.state.label][region]?.[flux][month]];
  if (!compared || !total || compared[2] < (regions.covered ?? 1)) return null;
  return compared[2] < COMPLETE ? total[0] + compared[0] - compared[1] : compared[0];
}

/** What the dashed lines are. */
function dashed(app: App, regions: Regions): string {
  return `; dashed: ${app.run.index.reference} where it covers at least ${number(100 * (regions.covered ?? 1), 0)} % of the land, its gaps filled with the estimate`;
}

function months(app: App, regions: Regions, region: string): HTMLElement {
  const { state, run } = app;
  const of = regions.totals[state.label][region];
  const ticks = MONTHS.some((_, m) => filled(app, regions, region, state.flux, m + 1) !== null);
  const buttons = h("div", { class: "segmented", role: "group", "aria-label": "Flux" }, ...FLUXES.map((flux) => h("button", { type: "button", "aria-pressed": String(flux === state.flux), click: () => app.set({ flux }) }, run.index.fluxes[flux].short)));
  const line = of[state.flux].slice(1).map((total, m) => total && { mean: total[0], least: total[2], most: total[3], truth: filled(app, regions, region, state.flux, m + 1) });
  const table = h("details", {}, h("summary", {}, "Numbers"), h("table", {},
    h("caption", {}, "PgC per month, mean and 90 % interval"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Month"), ...FLUXES.map((flux) => h("th", { scope: "col" }, run.index.fluxes[flux].short)))),
    h("tbody", {}, ...MONTHS.map((month, m) => h("tr", {}, h("th", { scope: "row" }, month.slice(0, 3)), ...FLUXES.map((flux) => {
      const total = of[flux][m + 1];
      return h("td", {}, total ? `${mass(total[0])} (${mass(total[2])} … ${mass(total[3])})` : "–");
    }))))));
  return h("section", {}, h("h3", {}, "Month by month"), buttons, monthBars(line, `var(--${state.flux})`, "PgC", state.month, (month) => app.set({ month })),
    h("p", { class: "soft caption" }, `PgC per month; dark lines: 90 % interval${ticks ? dashed(app, regions) : ""}. Choose a month.`), table);
}

function budgets(app: App, regions: Regions, region: string): HTMLElement {
  const { state, run } = app;
  const totals = regions.totals[state.label];
  const published = run.index.about.published[state.flux];
  const row = (code: string): Bar | null => {
    const total = totals[code][state.flux][0];
    return total && { name: regionName(regions, code), mean: total[0], least: total[2], most: total[3], truth: filled(app, regions, code, state.flux, 0), marked: code === region, choose: () => choose(app, regions, code) };
  };
  const list = (kind: string): Bar[] => Object.keys(regions.kinds).filter((code) => regions.kinds[code] === kind && regions.area[code] > 0).map(row).filter((bar): bar is Bar => !!bar && bar.most !== bar.least || (!!bar && bar.mean !== 0));
  const colour = `var(--${state.flux})`;
  const sorted = list("region").sort((a, b) => Math.abs(b.mean) - Math.abs(a.mean));
  const virtual = run.index.reference === "truth";
  return h("section", {},
    h("h3", {}, `${run.index.fluxes[state.flux].long}: budgets of the year`),
    bars([...list("polygon"), ...list("globe"), ...list("mapped"), ...list("band")], colour, "PgC yr⁻¹", published),
    h("p", { class: "soft caption" }, `PgC per year; dark lines: 90 % interval${hasReference(app, regions) ? dashed(app, regions) : ""}. `,
      published ? `Striped, behind all land: published, ${number(published.low, 1)} to ${number(published.high, 1)} (${published.source})${virtual ? ", of the real Earth" : ""}.` : "No comparable published total.", state.flux === "nee" ? " Fire and lateral fluxes excluded." : ""),
    h("h4", {}, HEADINGS.region), bars(sorted, colour, "PgC yr⁻¹"),
    h("h4", {}, HEADINGS.class), bars(list("class").sort((a, b) => Math.abs(b.mean) - Math.abs(a.mean)), colour, "PgC yr⁻¹"));
}
