// What one looks at, all of it in the address, so that a link shows the same again.
import { HOME, type View } from "./view";
import { FLUXES, type Flux } from "./types";

export type Compare = "one" | "two" | "difference";
export type Tab = "place" | "regions" | "towers" | "about";

export interface State extends View {
  flux: Flux;
  /** What is shown of the flux (`mean`, ...), or another layer. */
  show: string;
  label: string;
  /** 1 to 12; 0 is the mean of the year. */
  month: number;
  compare: Compare;
  /** Second layer (empty: what one compares the first with), its month (-1: the same) and the run it is of (empty: this one). */
  other: string;
  otherMonth: number;
  otherRun: string;
  cell: { lat: number; lon: number } | null;
  tab: Tab;
  tower: string;
  region: string;
  towers: boolean;
  /** Whether land that the towers say little of, and what is set to zero, is hatched. */
  hatch: boolean;
  igbp: string;
  koppen: string;
  theme: "auto" | "light" | "dark";
}

export const START: State = {
  ...HOME, flux: "gpp", show: "mean", label: "", month: 7, compare: "one", other: "", otherMonth: -1, otherRun: "", cell: null,
  tab: "place", tower: "", region: "", towers: true, hatch: true, igbp: "", koppen: "", theme: "auto",
};

/** Begin at the place that the run maps. */
export function settle(home: Pick<View, "lon" | "lat" | "zoom"> | null): void {
  Object.assign(HOME, home);
  Object.assign(START, home);
}

const KEYS: Record<string, string> = {
  flux: "f", show: "q", label: "y", month: "m", compare: "c", other: "b", otherMonth: "bm", otherRun: "br", tab: "tab", tower: "tower",
  region: "region", towers: "dots", hatch: "hatch", igbp: "igbp", koppen: "koppen", theme: "theme", projection: "p",
};

/** The address of a state: only what differs from the start. */
export function encode(state: State): string {
  const out = new URLSearchParams();
  for (const [name, key] of Object.entries(KEYS)) {
    const value = state[name as keyof State];
    if (value !== START[name as keyof State]) out.set(key, String(value));
  }
  const [lon, lat, zoom] = [state.lon, state.lat, state.zoom].map((v) => Math.round(v * 100) / 100);
  if (lon !== START.lon || lat !== START.lat || zoom !== START.zoom) out.set("v", `${lon},${lat},${zoom}`);
  if (state.cell) out.set("at", `${round(state.cell.lat)},${round(state.cell.lon)}`);
  return out.toString();
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;

/** The state of an address; what is not understood stays as at the start. */
export function decode(hash: string): State {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const state: State = { ...START };
  const numbers = (key: string): number[] => (given.get(key) ?? "").split(",").map(Number);
  const choose = <T extends string>(key: string, allowed: readonly T[], start: T): T => {
    const value = given.get(key) as T | null;
    return value && allowed.includes(value) ? value : start;
  };
  state.flux = choose("f", FLUXES, START.flux);
  state.compare = choose("c", ["one", "two", "difference"], START.compare);
  state.tab = choose("tab", ["place", "regions", "towers", "about"], START.tab);
  state.theme = choose("theme", ["auto", "light", "dark"], START.theme);
  state.projection = choose("p", ["map", "globe"], START.projection);
  for (const name of ["show", "label", "other", "otherRun", "tower", "region", "igbp", "koppen"] as const) {
    state[name] = given.get(KEYS[name]) ?? START[name];
  }
  state.towers = given.get("dots") !== "false";
  state.hatch = given.get("hatch") !== "false";
  state.month = within(Number(given.get("m") ?? START.month), 0, 12, START.month);
  state.otherMonth = within(Number(given.get("bm") ?? -1), -1, 12, -1);
  const [lon, lat, zoom] = numbers("v");
  if ([lon, lat, zoom].every(Number.isFinite)) Object.assign(state, { lon, lat, zoom });
  const [cellLat, cellLon] = numbers("at");
  if (given.has("at") && Math.abs(cellLat) <= 90 && Math.abs(cellLon) <= 180) state.cell = { lat: cellLat, lon: cellLon };
  return state;
}

function within(value: number, low: number, high: number, start: number): number {
  return Number.isInteger(value) && value >= low && value <= high ? value : start;
}
