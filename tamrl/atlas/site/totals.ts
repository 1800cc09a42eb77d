// Totals of polygons with the error of the total: what tamrl/api/totals.py and tamrl/uncertainty/aggregate.py do, in the browser.
import { FILL } from "./pack";
import type { Run } from "./run";
import { FLUXES, type Compared, type ErrorParts, type Flux, type SpatialPart, type Sums, type Total } from "./types";

const MONTHS = 12;
const RAD = Math.PI / 180;
const PETAGRAM = 1e15;

/** Totals of the year and of the months of one polygon. */
export interface PolygonTotals {
  fluxes: Record<Flux, (Total | null)[]>;
  reference: Record<Flux, (Compared | null)[]> | null;
  /** Its land with values, m². */
  area: number;
}

/** Numbers of the cells that polygons touch, [step][cell] each. */
interface Numbers {
  lat: Float64Array;
  lon: Float64Array;
  /** Land of each cell, m². */
  land: Float64Array;
  layers: Map<string, Float32Array>;
}

/** Totals of polygons in a year; `shares` are the shares of the cells of the grid by position, a map for each polygon. */
export async function sumPolygons(run: Run, sums: Sums, label: string, shares: Map<number, number>[]): Promise<PolygonTotals[]> {
  const touched = new Set<number>();
  for (const share of shares) for (const at of share.keys()) if (run.ordinal[at] >= 0) touched.add(run.ordinal[at]);
  const cells = Int32Array.from([...touched].sort((a, b) => a - b));
  const numbers = await gather(run, sums, label, cells);
  const weights = shares.map((share) => Float64Array.from(cells, (cell) => share.get(run.where[cell]) ?? 0));
  const days = sums.days[label];
  const errors = {} as Record<Flux, Covariances[]>;
  for (const flux of FLUXES) {
    errors[flux] = covariances(sums, flux, numbers, weights, days);
    await new Promise((resolve) => setTimeout(resolve)); // the page stays alive
  }
  return weights.map((weight, k) => total(run, sums, numbers, weight, days, (flux) => errors[flux][k]));
}

/** Read all layers of the cells. */
async function gather(run: Run, sums: Sums, label: string, cells: Int32Array): Promise<Numbers> {
  const numbers: Numbers = { lat: new Float64Array(cells.length), lon: new Float64Array(cells.length), land: new Float64Array(cells.length), layers: new Map() };
  const names = [...sums.layers.map((layer) => layer.name), ...FLUXES.map((flux) => `${flux}.truth`).filter((name) => run.layers.has(name))];
  for (const name of names) numbers.layers.set(name, new Float32Array(run.layers.get(name)!.steps * cells.length).fill(NaN));
  const blocks = new Map<number, number[]>();
  cells.forEach((cell, i) => {
    const k = run.blockOf(cell);
    const of = blocks.get(k);
    if (of) of.push(i);
    else blocks.set(k, [i]);
  });
  await Promise.all([...blocks].flatMap(([k, of]) => names.map(async (name) => {
    const layer = run.layers.get(name)!;
    const [from, out, size] = [await run.block(name, label, k), numbers.layers.get(name)!, run.index.blocks[k].cells];
    for (let step = 0; step < layer.steps; step++) for (const i of of) {
      const number = from[step * size + cells[i] - run.offsets[k]];
      out[step * cells.length + i] = number === FILL ? NaN : number * layer.quantum;
    }
  })));
  const { resolution } = run.index.grid;
  const fraction = numbers.layers.get("land")!;
  cells.forEach((cell, i) => {
    const { lat, lon } = run.place(cell);
    [numbers.lat[i], numbers.lon[i]] = [lat, lon];
    const band = Math.sin((lat + resolution / 2) * RAD) - Math.sin((lat - resolution / 2) * RAD);
    numbers.land[i] = sums.radius_m ** 2 * resolution * RAD * band * fraction[i];
  });
  return numbers;
}

/** Covariances between months of the errors of a total, PgC², in one number for each pair of months. */
type Covariances = Float64Array;

function covariances(sums: Sums, flux: Flux, numbers: Numbers, weights: Float64Array[], days: number[]): Covariances[] {
  const std = numbers.layers.get(`${flux}.month_std`)!;
  const { length } = numbers.lat;
  const errors = sums.errors[flux];
  const known = Array.from({ length }, (_, i) => i).filter((i) => days.some((_, m) => !Number.isNaN(std[m * length + i])));
  const far = isolation(sums, sums.towers[errors.towers], numbers, known);
  const [place, weather] = [errors.place, errors.weather].map((space) => kinship(sums, space, far, numbers, known));
  const kinds = sums.layers.find((layer) => layer.name === "classes")?.classes ?? [];
  const share = numbers.layers.get("classes");
  return weights.map((weight) => {
    const load = days.map((length_m, m) => Float64Array.from(known, (i) => (length_m * numbers.land[i] * weight[i] * (std[m * length + i] || 0)) / PETAGRAM));
    const shared = new Float64Array(known.length);
    const ofClasses = new Float64Array(MONTHS * MONTHS);
    kinds.forEach((name, c) => {
      const common = errors.common[name];
      const of = load.map((line) => line.reduce((sum, value, j) => sum + value * (share![c * length + known[j]] || 0), 0));
      known.forEach((i, j) => (shared[j] += common * (share![c * length + i] || 0)));
      for (let m = 0; m < MONTHS; m++) for (let n = 0; n < MONTHS; n++) ofClasses[m * MONTHS + n] += common * of[m] * of[n];
    });
    const ofPlaces = products(place, load.map((line) => line.map((value, j) => value * Math.sqrt(Math.min(1, Math.max(0, 1 - shared[j]))))));
    const passing = products(weather, load);
    return Float64Array.from(ofClasses, (value, at) => {
      const lag = Math.floor(at / MONTHS) - (at % MONTHS);
      return lasting(errors, lag) * (value + ofPlaces[at]) + errors.short * Math.exp(-Math.abs(lag) / errors.decay_months) * passing[at];
    });
  });
}

const lasting = (errors: ErrorParts, lag: number): number => errors.level + errors.season * Math.cos((2 * Math.PI * lag) / MONTHS);

/** A point of the unit sphere, from degrees. */
function onSphere(lat: number, lon: number): [number, number, number] {
  const [phi, theta] = [lat * RAD, lon * RAD];
  return [Math.cos(phi) * Math.cos(theta), Math.cos(phi) * Math.sin(theta), Math.sin(phi)];
}

const arcOf = (chord: number): number => 2 * Math.asin(Math.min(1, chord / 2));

/** Distance of cells to the nearest tower that trained, km; infinite without towers. */
function isolation(sums: Sums, towers: [number, number][], numbers: Numbers, known: number[]): Float64Array {
  const points = towers.map(([lat, lon]) => onSphere(lat, lon));
  return Float64Array.from(known, (i) => {
    const [x, y, z] = onSphere(numbers.lat[i], numbers.lon[i]);
    let nearest = Infinity;
    for (const [u, v, w] of points) nearest = Math.min(nearest, (u - x) ** 2 + (v - y) ** 2 + (w - z) ** 2);
    return nearest === Infinity ? Infinity : (arcOf(Math.sqrt(nearest)) * sums.radius_m) / 1000;
  });
}

/** Which cells err alike: themselves, their neighbours, and regions far from towers; with a factor of each cell in each part. */
interface Kinship {
  nugget: number;
  parts: { near: Neighbours; factor: Float64Array }[];
}

function kinship(sums: Sums, space: SpatialPart, far: Float64Array, numbers: Numbers, known: number[]): Kinship {
  const unlearned = far.map((km) => Math.sqrt(-Math.expm1((-2 * km) / space.far_km)));
  const all: [number, number, Float64Array][] = [[space.near, space.length_km, new Float64Array(known.length).fill(1)], [space.far, space.far_km, unlearned]];
  const parts = all.filter(([share]) => share > 0).map(([share, length, factor]) => ({ near: neighbours(sums, share, length, numbers, known), factor }));
  return { nugget: space.nugget, parts };
}

/** Which cells err alike, for one part of the errors: blocks of nearby cells, and correlations of pairs of blocks. */
interface Neighbours {
  /** Correlation of two different cells at distance zero. */
  share: number;
  block: Int32Array;
  count: number;
  first: number[];
  second: number[];
  correlation: number[];
}

function neighbours(sums: Sums, share: number, length_km: number, numbers: Numbers, known: number[]): Neighbours {
  const radius = sums.radius_m / 1000;
  const step = (sums.joined * length_km) / (radius * RAD);
  const numbered = new Map<string, number>();
  const block = Int32Array.from(known, (i) => {
    const row = Math.floor((numbers.lat[i] + 90) / step);
    const middle = Math.min(89.5, Math.max(-89.5, (row + 0.5) * step - 90));
    const key = `${row},${Math.floor(((numbers.lon[i] + 180) * Math.cos(middle * RAD)) / step)}`;
    if (!numbered.has(key)) numbered.set(key, numbered.size);
    return numbered.get(key)!;
  });
  const count = numbered.size;
  const [lat, lon, size] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  known.forEach((i, j) => {
    lat[block[j]] += numbers.lat[i];
    lon[block[j]] += numbers.lon[i];
    size[block[j]] += 1;
  });
  const points = Array.from(size, (n, b) => onSphere(lat[b] / n, lon[b] / n));
  const out: Neighbours = { share, block, count, first: [], second: [], correlation: [] };
  const reach = 2 * Math.sin(Math.min((sums.beyond * length_km) / radius, Math.PI) / 2);
  pairsWithin(points, reach, (a, b, chord) => {
    out.first.push(a);
    out.second.push(b);
    out.correlation.push(Math.exp((-arcOf(chord) * radius) / length_km));
  });
  return out;
}

/** All pairs of points no further apart than `reach`, through a grid of boxes of that size. */
function pairsWithin(points: [number, number, number][], reach: number, take: (a: number, b: number, far: number) => void): void {
  const boxes = new Map<number, number[]>();
  const many = Math.ceil(2 / reach) + 3;
  const box = (x: number): number => Math.floor((x + 1) / reach) + 1;
  const key = (i: number, j: number, k: number): number => (i * many + j) * many + k;
  points.forEach(([x, y, z], p) => {
    const [i, j, k] = [box(x), box(y), box(z)];
    for (let di = -1; di <= 1; di++) for (let dj = -1; dj <= 1; dj++) for (let dk = -1; dk <= 1; dk++) {
      for (const q of boxes.get(key(i + di, j + dj, k + dk)) ?? []) {
        const far = Math.hypot(points[q][0] - x, points[q][1] - y, points[q][2] - z);
        if (far <= reach) take(q, p, far);
      }
    }
    const own = boxes.get(key(i, j, k));
    if (own) own.push(p);
    else boxes.set(key(i, j, k), [p]);
  });
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, j) => sum + value * b[j], 0);

/** Σ w(m, i) w(m', j) f(i, j) over pairs of cells, by months. */
function products({ nugget, parts }: Kinship, weight: Float64Array[]): Float64Array {
  const out = new Float64Array(MONTHS * MONTHS);
  for (let m = 0; m < MONTHS; m++) for (let n = 0; n < MONTHS; n++) out[m * MONTHS + n] = nugget * dot(weight[m], weight[n]);
  for (const { near, factor } of parts) {
    const part = between(near, weight.map((line) => line.map((value, j) => value * factor[j])));
    part.forEach((value, at) => (out[at] += value));
  }
  return out;
}

/** Σ w(m, i) w(m', j) `share` exp(-d / length) over pairs of cells, by months. */
function between({ share, block, count, first, second, correlation }: Neighbours, weight: Float64Array[]): Float64Array {
  const joined = weight.map((line) => {
    const sum = new Float64Array(count);
    line.forEach((value, j) => (sum[block[j]] += value));
    return sum;
  });
  const spread = joined.map((line) => {
    const sum = new Float64Array(count);
    for (let p = 0; p < first.length; p++) sum[first[p]] += correlation[p] * line[second[p]];
    return sum;
  });
  const out = new Float64Array(MONTHS * MONTHS);
  for (let m = 0; m < MONTHS; m++) for (let n = 0; n < MONTHS; n++) {
    out[m * MONTHS + n] = share * (dot(joined[m], joined[n]) + dot(joined[m], spread[n]) + dot(joined[n], spread[m]));
  }
  return out;
}

function total(run: Run, sums: Sums, numbers: Numbers, weight: Float64Array, days: number[], errors: (flux: Flux) => Covariances): PolygonTotals {
  const { length } = numbers.lat;
  const [gpp, reco] = ["gpp", "reco"].map((flux) => numbers.layers.get(`${flux}.members`)!);
  const members = gpp.length / length / MONTHS;
  const masses: Record<Flux, Float64Array[]> = { gpp: [], reco: [], nee: [] };
  let land = 0;
  for (let m = 0; m < MONTHS; m++) {
    const [ofGpp, ofReco] = [new Float64Array(members), new Float64Array(members)];
    for (let i = 0; i < length; i++) {
      const at = (k: number): number => (m * members + k) * length + i;
      if (!weight[i] || Number.isNaN(gpp[at(0)] + reco[at(0)])) continue;
      const area = weight[i] * numbers.land[i] * days[m];
      land += area;
      for (let k = 0; k < members; k++) {
        ofGpp[k] += (area * gpp[at(k)]) / PETAGRAM;
        ofReco[k] += (area * reco[at(k)]) / PETAGRAM;
      }
    }
    masses.gpp.push(ofGpp);
    masses.reco.push(ofReco);
    masses.nee.push(ofReco.map((value, k) => value - ofGpp[k]));
  }
  const fluxes = {} as PolygonTotals["fluxes"];
  for (const flux of FLUXES) {
    fluxes[flux] = Array.from({ length: MONTHS + 1 }, (_, month) => {
      const chosen = days.map((_, m) => Number(month === 0 || m === month - 1));
      const line = new Float64Array(members).map((_, k) => masses[flux].reduce((sum, mass, m) => sum + chosen[m] * mass[k], 0));
      const mean = line.reduce((sum, value) => sum + value, 0) / members;
      const spread = members > 1 ? line.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (members - 1) : 0;
      const variance = errors(flux).reduce((sum, value, at) => sum + chosen[Math.floor(at / MONTHS)] * chosen[at % MONTHS] * value, 0);
      const std = Math.sqrt(spread + Math.max(0, variance));
      const half = sums.errors[flux].quantile * std;
      return [mean, std, mean - half, mean + half];
    });
  }
  const every = days.reduce((sum, value) => sum + value, 0);
  return { fluxes, reference: run.layers.has("gpp.truth") ? compare(numbers, weight, days) : null, area: land / every };
}

/** The gridded reference beside the mean of the members, over the cells and months with both (tamrl/atlas/areas.py). */
function compare(numbers: Numbers, weight: Float64Array, days: number[]): Record<Flux, (Compared | null)[]> {
  const { length } = numbers.lat;
  const [gpp, reco] = ["gpp", "reco"].map((flux) => numbers.layers.get(`${flux}.members`)!);
  const members = gpp.length / length / MONTHS;
  const estimate = (layer: Float32Array, m: number, i: number): number => {
    let sum = 0;
    for (let k = 0; k < members; k++) sum += layer[(m * members + k) * length + i];
    return sum / members;
  };
  const out = {} as Record<Flux, (Compared | null)[]>;
  for (const flux of FLUXES) {
    const known = numbers.layers.get(`${flux}.truth`)!;
    const sums = Array.from({ length: MONTHS + 1 }, () => new Float64Array(4));
    days.forEach((count, m) => {
      for (let i = 0; i < length; i++) {
        const area = weight[i] * numbers.land[i];
        const [value, ofGpp, ofReco] = [known[m * length + i], estimate(gpp, m, i), estimate(reco, m, i)];
        if (!area || Number.isNaN(ofGpp + ofReco)) continue;
        const mine = { gpp: ofGpp, reco: ofReco, nee: ofReco - ofGpp }[flux];
        const parts = Number.isNaN(value) ? [0, 0, 0, area] : [(area * count * value) / PETAGRAM, (area * count * mine) / PETAGRAM, area, area];
        for (const sum of [sums[0], sums[m + 1]]) parts.forEach((part, k) => (sum[k] += part));
      }
    });
    out[flux] = sums.map(([theirs, mine, both, mapped]) => (both ? [theirs, mine, both / mapped] : null));
  }
  return out;
}
