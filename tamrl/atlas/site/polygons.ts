// Polygons of the reader: read from a file, summed in this browser, and shown among the regions.
import { readPolygons, shareOf, type Polygon } from "./geojson";
import type { Run } from "./run";
import { sumPolygons } from "./totals";
import { FLUXES, type Regions } from "./types";

const PREFIX = "polygon:"; // a polygon may be called like a region

export class ReaderPolygons {
  /** Name of the file that is shown, empty without one. */
  file = "";
  /** Why the last file could not be shown. */
  problem = "";
  busy = false;
  private polygons: Polygon[] = [];
  private readonly holders = new Set<Regions>(); // of all runs that the polygons were summed in

  /** Code of a polygon among the regions. */
  static code = (name: string): string => PREFIX + name;

  /** Read a file and sum its polygons over a year; what was shown before stays where that fails. Returns the first code. */
  async open(file: File, run: Run, regions: Regions, label: string): Promise<string | null> {
    this.problem = "";
    this.busy = true;
    try {
      const polygons = await readPolygons(file);
      await this.add(run, regions, label, polygons, () => this.remove());
      [this.polygons, this.file] = [polygons, file.name];
      return ReaderPolygons.code(polygons[0].name);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      return null;
    } finally {
      this.busy = false;
    }
  }

  /** Sum the polygons over another year, or those of another run. */
  async ensure(run: Run, regions: Regions, label: string): Promise<void> {
    const missing = this.polygons.filter(({ name }) => !regions.totals[label]?.[ReaderPolygons.code(name)]);
    if (missing.length) await this.add(run, regions, label, missing, () => undefined);
  }

  /** Take the polygons off the regions of all runs. */
  remove(): void {
    for (const regions of this.holders) for (const { name } of this.polygons) {
      const code = ReaderPolygons.code(name);
      for (const part of [regions.kinds, regions.outlines, regions.area, ...Object.values(regions.totals), ...Object.values(regions.reference ?? {})]) delete part[code];
    }
    this.holders.clear();
    [this.polygons, this.file] = [[], ""];
  }

  /** Sum polygons and put them among the regions, after `before`. Throws where one has no land with fluxes. */
  private async add(run: Run, regions: Regions, label: string, polygons: Polygon[], before: () => void): Promise<void> {
    const { sums, grid } = run.index;
    if (sums?.towers === undefined) throw new Error(`The atlas of run ${run.index.run} was made by an earlier version, which cannot sum polygons. Make it again with “make atlas”.`);
    const totals = await sumPolygons(run, sums, label, polygons.map(({ rings }) => shareOf(rings, grid.resolution, sums.points)));
    const empty = polygons.filter((_, k) => FLUXES.every((flux) => !totals[k].fluxes[flux][0]?.[1])).map(({ name }) => `“${name}”`);
    if (empty.length) throw new Error(`No land that carries flux in this run lies in ${empty.slice(0, 5).join(", ")}. Give corners as degrees east and north, in this order.`);
    before();
    this.holders.add(regions);
    polygons.forEach(({ name, rings }, k) => {
      const code = ReaderPolygons.code(name);
      regions.kinds[code] = "polygon";
      regions.outlines[code] = { name, rings };
      regions.area[code] = totals[k].area;
      (regions.totals[label] ??= {})[code] = totals[k].fluxes;
      if (totals[k].reference) ((regions.reference ??= {})[label] ??= {})[code] = totals[k].reference;
    });
  }
}
