// Names of countries, continents and zones.

/** Filled in by build.mjs. */
declare const COUNTRIES: [name: string, also: string, lon: number, lat: number, across: number][];

export interface Place {
  name: string;
  detail: string;
  lon: number;
  lat: number;
  /** Degrees across. */
  across: number;
  /** Another run of letters that finds it. */
  also: string;
}

const CONTINENTS: [string, string, number, number, number][] = [
  ["Africa", "", 18, 2, 72], ["Antarctica", "", 0, -80, 120], ["Asia", "", 90, 38, 120], ["Australia and New Zealand", "Oceania", 145, -28, 60], ["Europe", "", 15, 52, 55],
  ["North America", "", -100, 48, 110], ["South America", "Latin America", -60, -18, 70], ["Central America", "Latin America", -88, 15, 35], ["South-east Asia", "southeast", 115, 5, 55],
];

export const PLACES: Place[] = [
  ...CONTINENTS.map(([name, also, lon, lat, across]) => ({ name, also, lon, lat, across, detail: "continent" })),
  ...COUNTRIES.map(([name, also, lon, lat, across]) => ({ name, also, lon, lat, across, detail: "country" })),
];

/** Names of regions of the atlas that people call otherwise. */
export const ZONES: Record<string, string> = { "23S-0": "tropics, southern", "0-23N": "tropics, northern", "23N-50N": "temperate, northern", "60S-23S": "temperate, southern", "50N-90N": "boreal, arctic", "90S-60S": "antarctic" };

/** Letters without accents and case, to compare. */
export const letters = (text: string): string => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

/** Whether a name, or a word of it, begins with what is wanted. */
export const begins = (name: string, wanted: string): boolean => ` ${letters(name).replace(/[^a-z0-9]+/g, " ")}`.includes(` ${wanted.replace(/[^a-z0-9]+/g, " ").trim()}`);
