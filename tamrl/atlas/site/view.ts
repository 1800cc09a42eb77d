// Where one looks, and which cell lies under each pixel. Equal Earth shows areas true; the globe is orthographic.
import { geoEqualEarth, geoEqualEarthRaw, geoOrthographic, type GeoProjection } from "d3-geo";

export interface View {
  projection: "map" | "globe";
  lon: number;
  lat: number;
  zoom: number;
}

export const HOME: View = { projection: "map", lon: 10, lat: 12, zoom: 1 };
export const ZOOM = 60;
const RAD = Math.PI / 180;
const [WIDE] = geoEqualEarthRaw(Math.PI, 0);
const rawY = (lat: number): number => geoEqualEarthRaw(0, lat * RAD)[1];
const SOUTH = -58; // land with values ends here
const NORTH = 84;

/** Pixels of a radius of the globe. */
export function scaleOf(view: View, width: number, height: number): number {
  const whole = view.projection === "globe" ? (0.94 * Math.min(width, height)) / 2 : Math.min(width / (2 * WIDE), height / (rawY(NORTH) - rawY(SOUTH)));
  return 0.985 * whole * view.zoom;
}

/** The same place, with a longitude within ±180 and a latitude that leaves no empty margin. */
export function tidy(view: View, width: number, height: number): View {
  const zoom = Math.min(ZOOM, Math.max(1, view.zoom));
  const lon = ((((view.lon + 180) % 360) + 360) % 360) - 180;
  let lat = Math.min(89, Math.max(-89, view.lat));
  if (view.projection === "map") {
    const half = height / 2 / scaleOf({ ...view, zoom }, width, height);
    const [low, high] = [rawY(-90) + half, rawY(90) - half];
    const middle = (rawY(NORTH) + rawY(SOUTH)) / 2;
    const y = rawY(lat);
    const kept = low > high ? middle : Math.min(high, Math.max(low, y));
    if (Math.abs(kept - y) > 1e-9) lat = geoEqualEarthRaw.invert!(0, kept)[1] / RAD;
  }
  return { projection: view.projection, lon, lat, zoom };
}

export function projectionOf(view: View, width: number, height: number): GeoProjection {
  const scale = scaleOf(view, width, height);
  if (view.projection === "globe") {
    return geoOrthographic().rotate([-view.lon, -view.lat]).scale(scale).translate([width / 2, height / 2]).clipAngle(90);
  }
  return geoEqualEarth().rotate([-view.lon, 0]).scale(scale).translate([width / 2, height / 2 + scale * rawY(view.lat)]);
}

/** Place under a point of the picture, or null beside the Earth. */
export function placeAt(view: View, width: number, height: number, x: number, y: number): { lat: number; lon: number } | null {
  const place = projectionOf(view, width, height).invert?.([x, y]);
  const back = place && projectionOf(view, width, height)(place);
  if (!place || !back || Math.hypot(back[0] - x, back[1] - y) > 1) return null;
  return { lon: place[0], lat: place[1] };
}

export interface Lookup {
  width: number;
  height: number;
  /** Position of the cell in the grid under each pixel, -1 beside the Earth. */
  at: Int32Array;
}

/** The cell under each pixel of a picture of `view`, `ratio` of its pixels to one of the page. */
export function lookup(view: View, width: number, height: number, ratio: number, resolution: number): Lookup {
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  const at = new Int32Array(w * h);
  const fill = view.projection === "globe" ? fillGlobe : fillMap;
  fill(at, w, h, scaleOf(view, width, height) * (w / width), view, resolution);
  return { width: w, height: h, at };
}

function fillMap(at: Int32Array, w: number, h: number, scale: number, view: View, resolution: number): void {
  const columns = Math.round(360 / resolution);
  const centre = rawY(view.lat);
  const top = rawY(90);
  for (let j = 0; j < h; j++) {
    const y = centre + (h / 2 - j - 0.5) / scale;
    const start = j * w;
    if (Math.abs(y) >= top) {
      at.fill(-1, start, start + w);
      continue;
    }
    const [perX, phi] = geoEqualEarthRaw.invert!(1, y); // along a line of latitude, longitude is proportional to x
    const row = Math.floor((90 - phi / RAD) / resolution) * columns;
    const step = perX / scale / RAD / resolution; // cells per pixel
    const half = 180 / resolution;
    const origin = (view.lon + 180) / resolution;
    for (let i = 0; i < w; i++) {
      const off = (i + 0.5 - w / 2) * step;
      let column = Math.floor(origin + off) % columns;
      if (column < 0) column += columns;
      at[start + i] = off < -half || off > half ? -1 : row + column;
    }
  }
}

function fillGlobe(at: Int32Array, w: number, h: number, scale: number, view: View, resolution: number): void {
  const columns = Math.round(360 / resolution);
  const rows = columns / 2;
  const [sin0, cos0] = [Math.sin(view.lat * RAD), Math.cos(view.lat * RAD)];
  for (let j = 0; j < h; j++) {
    const y = (h / 2 - j - 0.5) / scale;
    for (let i = 0; i < w; i++) {
      const x = (i + 0.5 - w / 2) / scale;
      const square = 1 - x * x - y * y;
      let cell = -1;
      if (square > 0) {
        const z = Math.sqrt(square);
        const lat = Math.asin(z * sin0 + y * cos0) / RAD;
        const lon = view.lon + Math.atan2(x, z * cos0 - y * sin0) / RAD;
        let column = Math.floor((lon + 180) / resolution) % columns;
        if (column < 0) column += columns;
        cell = Math.min(rows - 1, Math.floor((90 - lat) / resolution)) * columns + column;
      }
      at[j * w + i] = cell;
    }
  }
}
