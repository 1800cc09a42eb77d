// Two runs in numbers: what each says of a place or a region, and how far they are apart.
import type { App } from "./app";
import { digitsOf, digitsOfError, h, number, signed } from "./dom";
import { poorSkill } from "./fields";
import type { Run } from "./run";
import { pickMonth } from "./source";
import { FLUXES, type Flux, type Total } from "./types";

/** A number with the ends of its 90 % interval. */
interface Estimate {
  mean: number;
  low: number;
  high: number;
  digits: number;
}

/** Estimates of this run and of the other. */
type Pair = [Estimate | null, Estimate | null];

/** The runs that are compared, with the year of each. */
interface Compared {
  other: Run;
  label: string;
  /** The other run, and its year where that is another. */
  name: string;
}

/** The other run; where it has no such year, its last one. */
async function comparedRun(app: App): Promise<Compared | null> {
  const other = await app.compared();
  if (!other) return null;
  const { labels, run } = other.index;
  const same = labels.includes(app.state.label);
  const label = same ? app.state.label : labels[labels.length - 1];
  return { other, label, name: same ? run : `${run} (${label})` };
}

function table(app: App, { other, name }: Compared, unit: string, pairOf: (flux: Flux) => Pair): HTMLElement {
  const { run } = app;
  const cell = (one: Estimate | null): HTMLElement => h("td", {}, one ? `${number(one.mean, one.digits)} (${number(one.low, one.digits)} … ${number(one.high, one.digits)})` : "–");
  return h("section", { id: "comparison", "aria-label": "Two runs" },
    h("h3", {}, `Beside run ${name}`),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Numbers of both runs` }, h("table", {},
      h("caption", {}, `${unit}, with 90 % intervals; Δ: ${run.index.run} − ${name}`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Flux"), h("th", { scope: "col" }, run.index.run), h("th", { scope: "col" }, name), h("th", { scope: "col" }, "Δ"))),
      h("tbody", {}, ...FLUXES.map((flux) => {
        const [mine, theirs] = pairOf(flux);
        const digits = Math.min(mine?.digits ?? 6, theirs?.digits ?? 6);
        return h("tr", { "data-flux": flux }, h("th", { scope: "row" }, run.index.fluxes[flux].short), cell(mine), cell(theirs), h("td", {}, mine && theirs ? signed(mine.mean - theirs.mean, digits) : "–"));
      })))),
    ...FLUXES.flatMap((flux) => [run, other].map((one) => [one, poorSkill(one, flux)] as const)).filter(([, warning]) => warning).map(([one, warning]) =>
      h("p", { class: "warn" }, `${warning} in run ${one.index.run}.`)));
}

/** Totals of a region in both runs, where two are compared. */
export async function compareRegion(app: App, region: string): Promise<HTMLElement[]> {
  const compared = await comparedRun(app);
  if (!compared) return [];
  const { other, label } = compared;
  const [regions, theirs] = [await app.run.regions(), await other.regions()];
  if (regions.kinds[region] === "polygon") {
    try {
      await app.polygons.ensure(other, theirs, label);
    } catch (error) {
      return [h("p", { class: "problem" }, error instanceof Error ? error.message : String(error))]; // the numbers of this run stay
    }
  }
  const estimate = (total: Total | null | undefined): Estimate | null => total ? { mean: total[0], low: total[2], high: total[3], digits: total[1] ? digitsOfError(total[1], total[0]) : digitsOf(total[0]) } : null;
  const { month } = app.state;
  return [table(app, compared, month ? "PgC of the month" : "PgC of the year", (flux) => [
    estimate(regions.totals[app.state.label][region]?.[flux][month]), estimate(theirs.totals[label]?.[region]?.[flux][month])])];
}

/** Fluxes of a place in both runs, where two are compared. */
export async function comparePlace(app: App, lat: number, lon: number): Promise<HTMLElement[]> {
  const compared = await comparedRun(app);
  if (!compared) return [];
  const { state, run } = app;
  const estimate = async (of: Run, label: string, flux: Flux): Promise<Estimate | null> => {
    const cell = of.at(lat, lon);
    if (cell < 0) return null;
    const [mean, low, high] = await Promise.all(["mean", "q05", "q95"].map(async (quantity) => pickMonth(await of.series(`${flux}.${quantity}`, label, cell), state.month)));
    return { mean, low, high, digits: 2 };
  };
  const pairs = new Map(await Promise.all(FLUXES.map(async (flux) => [flux, [await estimate(run, state.label, flux), await estimate(compared.other, compared.label, flux)]] as [Flux, Pair])));
  return [table(app, compared, `gC m⁻² d⁻¹${run.index.step === "day" ? ", intervals of a day" : ""}`, (flux) => pairs.get(flux)!)];
}
