// One map: the Earth beneath, the colours of the cells, and what is drawn over them.
import { geoGraticule10, geoPath, type GeoPermissibleObjects, type GeoProjection } from "d3-geo";
import { feature, mesh } from "topojson-client";
import type { Topology } from "topojson-specification";
import coarse from "world-atlas/land-110m.json";
import { drawHatches } from "./colour";
import { load } from "./load";
import type { Run } from "./run";
import { lookup, projectionOf, scaleOf, type Lookup, type View } from "./view";

const MOST = 1_500_000; // pixels of the picture of the cells: keeps the slider smooth on large screens
const PERIOD = 7; // pixels of the page between lines of a hatching
const RATIO = (): number => Math.min(2, window.devicePixelRatio || 1);

interface Coast {
  land: GeoPermissibleObjects;
  line: GeoPermissibleObjects;
}

function coastOf(topology: Topology): Coast {
  const land = topology.objects.land;
  return { land: feature(topology, land) as GeoPermissibleObjects, line: mesh(topology, land as never) as GeoPermissibleObjects };
}

const near = coastOf(coarse as unknown as Topology);
let fine: Coast | null = null;

/** Load the closer coastlines once. */
export async function loadCoast(): Promise<void> {
  fine ??= coastOf(await load<Topology>("", "coast", "coast.js"));
}

export interface Dot {
  id: string;
  lon: number;
  lat: number;
  fill: string;
  chosen: boolean;
}

/** What lies over the cells. */
export interface Marks {
  dots: Dot[];
  cell: { lon: number; lat: number; size: number } | null;
  rings: [number, number][][];
}

export class Pane {
  readonly element: HTMLElement;
  private readonly canvases: HTMLCanvasElement[];
  private readonly buffer = document.createElement("canvas");
  private view!: View;
  private table: Lookup | null = null; // the cell of each pixel by its number in the run's list of cells, -1 for none
  private image: ImageData | null = null;
  private colours: Uint32Array | null = null;
  private kinds: Uint8Array | null = null;
  private marks: Marks = { dots: [], cell: null, rings: [] };
  private drawnDots: { id: string; x: number; y: number }[] = [];
  width = 0;
  height = 0;

  constructor(host: HTMLElement) {
    this.element = host;
    this.canvases = ["earth", "cells", "marks"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = name;
      host.prepend(canvas);
      return canvas;
    });
    host.prepend(...this.canvases);
  }

  /** Take the size of the element; true where it changed. */
  measure(): boolean {
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    if (width === this.width && height === this.height) return false;
    [this.width, this.height] = [width, height];
    for (const canvas of this.canvases) {
      canvas.width = Math.round(width * RATIO());
      canvas.height = Math.round(height * RATIO());
    }
    this.table = null;
    return true;
  }

  /** Show a place; `moving` draws coarser, to keep up with a hand. */
  look(run: Run, view: View, moving: boolean): void {
    this.view = view;
    const ratio = Math.min(RATIO(), Math.sqrt(MOST / Math.max(1, this.width * this.height))) * (moving ? 0.6 : 1);
    this.table = lookup(view, this.width, this.height, ratio, run.index.grid.resolution);
    const { at } = this.table;
    for (let i = 0; i < at.length; i++) if (at[i] >= 0) at[i] = run.ordinal[at[i]]; // once a look, not once a month
    this.image = null;
    this.drawEarth(moving);
    this.drawCells();
    this.drawMarks(moving);
  }

  /** Colours of all cells of the run. */
  colour(colours: Uint32Array): void {
    this.colours = colours;
    this.drawCells();
  }

  /** How each cell of the run is hatched; null for not at all. */
  hatch(kinds: Uint8Array | null): void {
    this.kinds = kinds;
    this.drawCells();
  }

  mark(marks: Marks): void {
    this.marks = marks;
    if (this.view) this.drawMarks(false);
  }

  /** The dot under a point, if any. */
  dotAt(x: number, y: number, reach: number): string | null {
    let best: string | null = null;
    let least = reach;
    for (const dot of this.drawnDots) {
      const far = Math.hypot(dot.x - x, dot.y - y);
      if (far <= least) [best, least] = [dot.id, far];
    }
    return best;
  }

  /** Draw everything into another canvas. */
  copyTo(target: CanvasRenderingContext2D, x: number, y: number): void {
    for (const canvas of this.canvases) target.drawImage(canvas, x, y, this.width, this.height);
  }

  private begin(k: number): CanvasRenderingContext2D {
    const context = this.canvases[k].getContext("2d")!;
    context.setTransform(RATIO(), 0, 0, RATIO(), 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }

  private coast(moving: boolean): Coast {
    return fine && !moving && this.view.zoom * this.width > 1500 ? fine : near;
  }

  private drawEarth(moving: boolean): void {
    const context = this.begin(0);
    const path = geoPath(this.projection(), context);
    const style = getComputedStyle(this.element);
    const fill = (shape: GeoPermissibleObjects, colour: string): void => {
      context.beginPath();
      path(shape);
      context.fillStyle = style.getPropertyValue(colour);
      context.fill();
    };
    fill({ type: "Sphere" }, "--ocean");
    fill(this.coast(moving).land, "--bare");
  }

  private drawCells(): void {
    const { table, colours } = this;
    if (!table || !colours) return;
    if (!this.image || this.image.width !== table.width || this.image.height !== table.height) {
      this.buffer.width = table.width;
      this.buffer.height = table.height;
      this.image = this.buffer.getContext("2d")!.createImageData(table.width, table.height);
    }
    const pixels = new Uint32Array(this.image.data.buffer);
    const { at } = table;
    for (let i = 0; i < at.length; i++) pixels[i] = at[i] < 0 ? 0 : colours[at[i]];
    if (this.kinds) drawHatches(pixels, at, this.kinds, table.width, Math.max(4, Math.round((PERIOD * table.width) / this.width)));
    this.buffer.getContext("2d")!.putImageData(this.image, 0, 0);
    const context = this.begin(1);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.buffer, 0, 0, this.width, this.height);
  }

  private projection(): GeoProjection {
    return projectionOf(this.view, this.width, this.height);
  }

  private drawMarks(moving: boolean): void {
    const context = this.begin(2);
    const projection = this.projection();
    const path = geoPath(projection, context);
    const style = getComputedStyle(this.element);
    const line = (shape: GeoPermissibleObjects, colour: string, width: number): void => {
      context.beginPath();
      path(shape);
      context.strokeStyle = style.getPropertyValue(colour);
      context.lineWidth = width;
      context.stroke();
    };
    line(geoGraticule10(), "--graticule", 0.5);
    line(this.coast(moving).line, "--coast", 0.7);
    line({ type: "Sphere" }, "--coast", 1);
    const { rings, cell } = this.marks;
    const outline: GeoPermissibleObjects = { type: "MultiLineString", coordinates: rings.map(along) };
    for (const [colour, width] of rings.length ? ([["--halo", 4], ["--mark", 2]] as const) : []) line(outline, colour, width);
    this.drawDots(context, projection, style);
    if (cell) {
      const half = cell.size / 2;
      const box: [number, number][] = [[-half, -half], [-half, half], [half, half], [half, -half], [-half, -half]];
      const corners = along(box.map(([x, y]) => [cell.lon + x, cell.lat + y]));
      for (const [colour, width] of [["--halo", 4.5], ["--mark", 2]] as const) line({ type: "LineString", coordinates: corners }, colour, width);
      const across = cell.size * (Math.PI / 180) * scaleOf(this.view, this.width, this.height);
      const visible = geoPath(projection)({ type: "Point", coordinates: [cell.lon, cell.lat] });
      if (across < 24 && visible) this.drawPin(context, projection([cell.lon, cell.lat]), style);
    }
  }

  private drawDots(context: CanvasRenderingContext2D, projection: GeoProjection, style: CSSStyleDeclaration): void {
    this.drawnDots = [];
    const visible = geoPath(projection);
    const size = Math.min(7, 3.2 + 0.6 * Math.log2(this.view.zoom));
    for (const dot of [...this.marks.dots].sort((a, b) => Number(a.chosen) - Number(b.chosen))) {
      const at = projection([dot.lon, dot.lat]);
      if (!at || (this.view.projection === "globe" && !visible({ type: "Point", coordinates: [dot.lon, dot.lat] }))) continue;
      context.beginPath();
      context.arc(at[0], at[1], dot.chosen ? size + 3 : size, 0, 2 * Math.PI);
      context.fillStyle = dot.fill;
      context.strokeStyle = style.getPropertyValue("--dot");
      context.lineWidth = dot.chosen ? 3 : 1.2;
      context.fill();
      context.stroke();
      this.drawnDots.push({ id: dot.id, x: at[0], y: at[1] });
    }
  }

  /** A ring around a cell that is small on the screen. */
  private drawPin(context: CanvasRenderingContext2D, at: [number, number] | null, style: CSSStyleDeclaration): void {
    if (!at) return;
    for (const [colour, width] of [["--halo", 4.5], ["--mark", 2]] as const) {
      context.beginPath();
      context.arc(at[0], at[1], 11, 0, 2 * Math.PI);
      context.strokeStyle = style.getPropertyValue(colour);
      context.lineWidth = width;
      context.stroke();
    }
  }
}

/** Corners with points between them, so that sides follow latitude and longitude, not great circles. */
function along(open: [number, number][]): [number, number][] {
  const ring = [...open, open[0]];
  const out: [number, number][] = [];
  for (let k = 0; k + 1 < ring.length; k++) {
    const [[x0, y0], [x1, y1]] = [ring[k], ring[k + 1]];
    const steps = Math.max(1, Math.ceil(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0)) / 2));
    for (let i = 0; i < steps; i++) out.push([x0 + ((x1 - x0) * i) / steps, y0 + ((y1 - y0) * i) / steps]);
  }
  return [...out, ring[ring.length - 1]];
}
