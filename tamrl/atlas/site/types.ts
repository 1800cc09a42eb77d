// What the scripts under data/ hold; written by tamrl/atlas/stage.py.

export type Flux = "gpp" | "reco" | "nee";
export const FLUXES: readonly Flux[] = ["gpp", "reco", "nee"];
export const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

export interface Layer {
  name: string;
  title: string;
  unit: string;
  group: "flux" | "trust" | "land" | "driver" | "sum";
  quantum: number;
  palette: string;
  low: number;
  high: number;
  steps: number;
  classes: string[];
}

export interface Block {
  row: number;
  column: number;
  rows: number;
  columns: number;
  cells: number;
}

export interface Score {
  n: number;
  rmse: number | null;
  bias: number | null;
  r2: number | null;
  nse: number | null;
}

/** {split: {model: {flux: score}}} */
export type Scores = Record<string, Record<string, Partial<Record<Flux, Score>>>>;

export interface Tower {
  site: string;
  network: string | null;
  igbp: string | null;
  koppen: string | null;
  first: string | null;
  last: string | null;
  doi: string | null;
  lat: number;
  lon: number;
  elevation: number | null;
  dissimilarity: number | null;
  scores: Scores;
}

export interface About {
  made: string;
  digests: Record<string, string>;
  software: Record<string, string>;
  sources: Record<string, string>;
  coast: string;
  cite: string;
  published: Partial<Record<Flux, { low: number; high: number; source: string }>>;
  coverage: Partial<Record<Flux, number>>;
  skill: Record<Flux, string>;
  split: string | null;
}

export interface Index {
  run: string;
  title: string;
  step: "day" | "month";
  labels: string[];
  model: string;
  reference: string | null;
  threshold: number | null;
  grid: { resolution: number; rows: number; columns: number };
  /** Where one looks at first in a run of a region; null for the globe. */
  home: { lon: number; lat: number; zoom: number } | null;
  blocks: Block[];
  cells: string;
  layers: Layer[];
  palettes: Record<string, string>;
  fluxes: Record<Flux, { short: string; long: string; colour: string }>;
  classes: { igbp: string[]; koppen: string[] };
  towers: Tower[];
  maps: string[];
  /** Runs whose atlases lay beside this one when it was made. */
  beside?: string[];
  credits: string[];
  /** What a run on the virtual Earth says of itself; null where its inputs were observed. */
  virtual_earth: string | null;
  about: About;
  /** Not in atlases of earlier versions. */
  sums?: Sums;
}

/** Correlation of places: nugget at one place, near exp(-d / length_km), far g g' exp(-d / far_km). */
export interface SpatialPart {
  nugget: number;
  near: number;
  length_km: number;
  far: number;
  far_km: number;
}

/** How the errors of a flux belong together (tamrl/uncertainty/error_model.py). */
export interface ErrorParts {
  level: number;
  season: number;
  short: number;
  decay_months: number;
  place: SpatialPart;
  weather: SpatialPart;
  /** Which of the `towers` of the sums trained the flux. */
  towers: number;
  /** 95 % quantile of the error of a total over its standard deviation. */
  quantile: number;
  /** Share of the lasting variance that all places of a class have in common. */
  common: Record<string, number>;
}

/** What totals of polygons are made from; written by tamrl/atlas/sums.py. */
export interface Sums {
  layers: Layer[];
  /** Length of each month by label. */
  days: Record<string, number[]>;
  errors: Record<Flux, ErrorParts>;
  /** Latitude and longitude of towers, each set once; empty where their distances play no role. Not in atlases of earlier versions. */
  towers: [number, number][][];
  radius_m: number;
  joined: number;
  beyond: number;
  points: number;
}

/** Mean, standard deviation of its error, and the ends of its 90 % interval, PgC. */
export type Total = [number, number | null, number, number];

/** Totals of reference and estimate over the cells and months with both, PgC, and their share of the land and months with an estimate. */
export type Compared = [number, number, number];

export interface Regions {
  totals: Record<string, Record<string, Record<Flux, (Total | null)[]>>>;
  /** Of the year and of the months; not of land-cover classes, empty without a reference, and not in atlases of earlier versions. */
  reference?: Record<string, Record<string, Record<Flux, (Compared | null)[]>>>;
  /** Least share that a reference must cover to be filled with the estimate and drawn beside its intervals. */
  covered?: number;
  kinds: Record<string, "globe" | "mapped" | "band" | "class" | "region" | "polygon">;
  outlines: Record<string, { name: string; rings: [number, number][][] }>;
  area: Record<string, number>;
}

export interface Records {
  quantum: number;
  days: number[];
  fluxes: Partial<
    Record<Flux, { observed: (number | null)[]; splits: Record<string, Record<string, Prediction>> }>
  >;
}

export interface Prediction {
  p: (number | null)[];
  lo?: (number | null)[];
  hi?: (number | null)[];
}
