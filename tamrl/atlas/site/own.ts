// Polygons of the reader's own: read from a file, summed in this browser, and shown among the regions.
import { readPolygons, shareOf, type Polygon } from "./geojson";
import type { Run } from "./run";
import { sumPolygons } from "./totals";
import { FLUXES, type Regions } from "./types";

const PREFIX = "own:"; // a polygon may be called like a region

export class Own {
  /** Name of the file that is shown, empty without one. */
  file = "";
  /** Why the last file could not be shown. */
  problem = "";
  busy = false;
  private polygons: Polygon[] = [];

  /** Code of a polygon among the regions. */
  static code = (name: string): string => PREFIX + name;

  /** Read a file and sum its polygons over a year; what was shown before stays where that fails. Returns the first code. */
  async open(file: File, run: Run, regions: Regions, label: string): Promise<string | null> {
    this.problem = "";
    this.busy = true;
    try {
      const polygons = await readPolygons(file);
      await add(run, regions, label, polygons, () => this.remove(regions));
      [this.polygons, this.file] = [polygons, file.name];
      return Own.code(polygons[0].name);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      return null;
    } finally {
      this.busy = false;
    }
  }

  /** Sum the polygons over another year, or those of another run. */
  async ensure(run: Run, regions: Regions, label: string): Promise<void> {
    const missing = this.polygons.filter(({ name }) => !regions.totals[label]?.[Own.code(name)]);
    if (missing.length) await add(run, regions, label, missing, () => undefined);
  }

  /** Take the polygons off the regions. */
  remove(regions: Regions): void {
    for (const { name } of this.polygons) {
      const code = Own.code(name);
      for (const part of [regions.kinds, regions.outlines, regions.area, ...Object.values(regions.totals), ...Object.values(regions.truth)]) delete part[code];
    }
    [this.polygons, this.file] = [[], ""];
  }
}

/** Sum polygons and put them among the regions, after `before`. Throws where one has no land with fluxes. */
async function add(run: Run, regions: Regions, label: string, polygons: Polygon[], before: () => void): Promise<void> {
  const { sums, grid } = run.index;
  if (sums?.errors.gpp.quantile === undefined) throw new Error(`The atlas of run ${run.index.run} was made by an earlier version, which cannot sum polygons. Make it again with “make atlas”.`);
  const found = await sumPolygons(run, sums, label, polygons.map(({ rings }) => shareOf(rings, grid.resolution, sums.points)));
  const empty = polygons.filter((_, k) => FLUXES.every((flux) => !found[k].fluxes[flux][0]?.[1])).map(({ name }) => `“${name}”`);
  if (empty.length) throw new Error(`No land that carries flux in this run lies in ${empty.slice(0, 5).join(", ")}. Give corners as degrees east and north, in this order.`);
  before();
  polygons.forEach(({ name, rings }, k) => {
    const code = Own.code(name);
    regions.kinds[code] = "own";
    regions.outlines[code] = { name, rings };
    regions.area[code] = found[k].area;
    (regions.totals[label] ??= {})[code] = found[k].fluxes;
    if (found[k].truth) (regions.truth[label] ??= {})[code] = found[k].truth;
  });
}
