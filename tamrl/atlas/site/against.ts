// Two runs in numbers: what each says of a place or a region, and how far they are apart.
import type { App } from "./app";
import { digitsOf, digitsOfError, h, number, signed } from "./dom";
import { pickMonth } from "./source";
import { FLUXES, type Flux, type Total } from "./types";

/** A number with the ends of its 90 % interval. */
interface Told {
  mean: number;
  low: number;
  high: number;
  digits: number;
}

function table(app: App, name: string, unit: string, told: (flux: Flux) => [Told | null, Told | null]): HTMLElement {
  const { run } = app;
  const cell = (one: Told | null): HTMLElement => h("td", {}, one ? `${number(one.mean, one.digits)} (${number(one.low, one.digits)} … ${number(one.high, one.digits)})` : "–");
  return h("section", { id: "against", "aria-label": "Two runs" },
    h("h3", {}, `Beside run ${name}`),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Numbers of both runs` }, h("table", {},
      h("caption", {}, `${unit}, with 90 % intervals; Δ: ${run.index.run} − ${name}`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Flux"), h("th", { scope: "col" }, run.index.run), h("th", { scope: "col" }, name), h("th", { scope: "col" }, "Δ"))),
      h("tbody", {}, ...FLUXES.map((flux) => {
        const [own, other] = told(flux);
        const digits = Math.min(own?.digits ?? 6, other?.digits ?? 6);
        return h("tr", { "data-flux": flux }, h("th", { scope: "row" }, run.index.fluxes[flux].short), cell(own), cell(other), h("td", {}, own && other ? signed(own.mean - other.mean, digits) : "–"));
      })))));
}

/** The other run has no such year: its last one. */
const labelOf = (labels: string[], label: string): string => (labels.includes(label) ? label : labels[labels.length - 1]);

/** Totals of a region in both runs, where two are compared. */
export async function regionAgainst(app: App, region: string): Promise<HTMLElement[]> {
  const other = await app.compared();
  if (!other) return [];
  const [regions, theirs] = [await app.run.regions(), await other.regions()];
  const label = labelOf(other.index.labels, app.state.label);
  await app.own.ensure(other, theirs, label);
  const told = (total: Total | null | undefined): Told | null => total ? { mean: total[0], low: total[2], high: total[3], digits: total[1] ? digitsOfError(total[1], total[0]) : digitsOf(total[0]) } : null;
  const { month } = app.state;
  return [table(app, other.index.run, month ? "PgC of the month" : "PgC of the year", (flux) => [
    told(regions.totals[app.state.label][region]?.[flux][month]), told(theirs.totals[label]?.[region]?.[flux][month])])];
}

/** Fluxes of a place in both runs, where two are compared. */
export async function placeAgainst(app: App, lat: number, lon: number): Promise<HTMLElement[]> {
  const other = await app.compared();
  if (!other) return [];
  const { state, run } = app;
  const told = async (of: typeof run, flux: Flux): Promise<Told | null> => {
    const cell = of.at(lat, lon);
    if (cell < 0) return null;
    const label = labelOf(of.index.labels, state.label);
    const [mean, low, high] = await Promise.all(["mean", "q05", "q95"].map(async (quantity) => pickMonth(await of.series(`${flux}.${quantity}`, label, cell), state.month)));
    return { mean, low, high, digits: 2 };
  };
  const found = new Map(await Promise.all(FLUXES.map(async (flux) => [flux, [await told(run, flux), await told(other, flux)]] as [Flux, [Told | null, Told | null]])));
  return [table(app, other.index.run, `gC m⁻² d⁻¹${run.index.step === "day" ? ", intervals of a day" : ""}`, (flux) => found.get(flux)!)];
}
