// Polygons of a GeoJSON file (RFC 7946) that a reader chose, with the checks of tamrl/polygons/geojson.py and of a browser's memory.

/** Corners of an outline, degrees east and north. */
export type Ring = [number, number][];

export interface Polygon {
  name: string;
  /** Holes are outlines too: a point within an even number of them is outside. */
  rings: Ring[];
}

export const MOST_BYTES = 20e6;
const MOST_POLYGONS = 100;
const MOST_CORNERS = 400_000;
const DEGREES = /CRS:?84|EPSG:{1,2}4326\b/i; // as in tamrl/polygons/geojson.py
const CONVERT = "Convert it with “ogr2ogr -f GeoJSON -t_srs EPSG:4326 polygons.geojson FILE”.";

type Json = Record<string, unknown>;

/** The polygons of a file. Throws an error that says what was found, what is accepted and what to do. */
export async function readPolygons(file: File): Promise<Polygon[]> {
  if (file.size > MOST_BYTES) throw new Error(`${file.name} has ${(file.size / 1e6).toFixed(0)} MB; at most ${MOST_BYTES / 1e6} MB are read. Simplify the outlines: cells are far larger than such detail.`);
  if (!file.size) throw new Error(`${file.name} is empty. Give GeoJSON with polygons.`);
  let content: unknown;
  try {
    content = JSON.parse((await file.text()).replace(/^\uFEFF/, ""));
  } catch {
    throw new Error(`${file.name} is not GeoJSON. ${CONVERT}`);
  }
  return parse(content, file.name);
}

function parse(content: unknown, file: string): Polygon[] {
  if (!isObject(content) || typeof content.type !== "string") throw new Error(`${file} is JSON, but not GeoJSON: it has no “type”. ${CONVERT}`);
  checkReference(content, file);
  const features = content.type === "FeatureCollection" ? content.features : [content];
  if (!Array.isArray(features) || !features.length) throw new Error(`${file} holds no features. Give polygons or multipolygons.`);
  const found: Polygon[] = [];
  const other = new Map<string, number>();
  features.forEach((feature: unknown, k) => {
    const geometry = isObject(feature) && feature.type === "Feature" ? feature.geometry : feature;
    const kind = isObject(geometry) ? String(geometry.type) : "feature without geometry";
    if (isObject(geometry) && (kind === "Polygon" || kind === "MultiPolygon")) found.push({ name: nameOf(feature as Json, k), rings: ringsOf(geometry, kind, file) });
    else other.set(kind, (other.get(kind) ?? 0) + 1);
  });
  if (other.size) throw new Error(`${file} holds ${[...other].map(([kind, n]) => `${n} × ${kind}`).join(", ")}, which have no area. Give polygons or multipolygons alone.`);
  if (found.length > MOST_POLYGONS) throw new Error(`${file} holds ${found.length} polygons; at most ${MOST_POLYGONS} are summed. Use “tamrl extract RUN --places FILE --totals totals.csv” for more.`);
  const corners = found.reduce((sum, polygon) => sum + polygon.rings.reduce((n, ring) => n + ring.length, 0), 0);
  if (corners > MOST_CORNERS) throw new Error(`${file} has ${corners} corners; at most ${MOST_CORNERS} are read. Simplify the outlines: cells are far larger than such detail.`);
  const names = found.map((polygon) => polygon.name);
  const twice = names.find((name, k) => names.indexOf(name) !== k);
  if (twice !== undefined) throw new Error(`${file} names two polygons “${twice}”. Name each polygon once, or join them as a multipolygon.`);
  return found;
}

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

function checkReference(content: Json, file: string): void {
  const { crs } = content;
  if (crs === undefined || crs === null || DEGREES.test(JSON.stringify(crs))) return;
  const { properties } = isObject(crs) ? crs : {};
  const name = isObject(properties) && typeof properties.name === "string" ? properties.name : JSON.stringify(crs).slice(0, 120);
  throw new Error(`${file} is in the coordinate reference system “${name}”. Accepted are degrees east and north (WGS 84, EPSG:4326). ${CONVERT}`);
}

function nameOf(feature: Json, k: number): string {
  const properties = isObject(feature.properties) ? feature.properties : {};
  const named = [feature.id, properties.site, properties.id, properties.name].find((value) => value !== undefined && value !== null);
  return named === undefined ? `place-${k + 1}` : String(named).slice(0, 80);
}

function ringsOf(geometry: Json, kind: string, file: string): Ring[] {
  const parts = (kind === "Polygon" ? [geometry.coordinates] : geometry.coordinates) as unknown;
  const rings = Array.isArray(parts) ? parts.flat(1) : [];
  if (!rings.length) throw new Error(`${file} holds a polygon without an outline. Give three corners or more of each ring.`);
  return rings.map((ring: unknown) => {
    const corners = Array.isArray(ring) ? (ring as unknown[]) : [];
    if (corners.length < 3) throw new Error(`${file} holds an outline of ${corners.length} corners. Give three corners or more of each ring.`);
    return corners.map((corner): [number, number] => {
      const [lon, lat] = Array.isArray(corner) ? (corner as unknown[]) : [];
      if (typeof lon !== "number" || typeof lat !== "number" || !Number.isFinite(lon + lat)) throw new Error(`${file} holds a corner that is no pair of numbers: ${JSON.stringify(corner)?.slice(0, 60)}.`);
      if (Math.abs(lon) > 180 || Math.abs(lat) > 90) throw new Error(`${file} holds the corner (${lon}, ${lat}). ${Math.abs(lon) > 1000 || Math.abs(lat) > 1000 ? `These are metres of a projection; accepted are degrees east and north. ${CONVERT}` : "Give degrees east within −180 and 180 and degrees north within −90 and 90; cut polygons at 180° (RFC 7946)."}`);
      return [lon, lat];
    });
  });
}

/** Share of each cell of a global grid that lies in a polygon, of a raster of `points` × `points` in each; by position in the grid. */
export function shareOf(rings: Ring[], resolution: number, points: number): Map<number, number> {
  const step = resolution / points;
  const columns = Math.round(360 / resolution);
  const crossings = new Map<number, number[]>(); // first point east of each outline, by the number of the line of points from the north
  const line = (k: number): number => 90 - (k + 0.5) * step;
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i++) {
      const ends = [ring[i], ring[(i + 1) % ring.length]];
      const [[x0, y0], [x1, y1]] = ends[0][1] > ends[1][1] ? ends.reverse() : ends; // from south to north: the same bits for both neighbours
      for (let k = Math.max(0, Math.floor((90 - y1) / step - 0.5)); k < columns * points && line(k) >= y0; k++) {
        const y = line(k);
        if (y >= y1) continue;
        const x = x0 + ((y - y0) / (y1 - y0)) * (x1 - x0);
        const near = Math.round((x + 180) / step - 0.5);
        const row = crossings.get(k) ?? [];
        row.push(-180 + (near + 0.5) * step >= x ? near : near + 1); // a point on an edge belongs to the area east or north of it
        crossings.set(k, row);
      }
    }
  }
  const share = new Map<number, number>();
  for (const [k, row] of crossings) {
    row.sort((a, b) => a - b);
    const start = Math.floor(k / points) * columns;
    for (let i = 0; i + 1 < row.length; i += 2) {
      const [from, to] = [row[i], row[i + 1]].map((c) => Math.min(columns * points, Math.max(0, c)));
      for (let c = from; c < to; c++) {
        const cell = start + Math.floor(c / points);
        share.set(cell, (share.get(cell) ?? 0) + 1 / points ** 2);
      }
    }
  }
  return share;
}
