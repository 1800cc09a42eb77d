// A run: its index, which cell lies where, and its fields, block by block as they are needed.
import { DataError, forget, load } from "./load";
import { FILL, unpack, unpackBits } from "./pack";
import type { Index, Layer, Records, Regions } from "./types";

export class Run {
  /** Position of a cell of the grid (row by row) among the cells that have values, or -1. */
  readonly ordinal: Int32Array;
  /** Positions in the grid, in the order of the atlas. */
  readonly where: Int32Array;
  /** First cell of each block. */
  readonly offsets: number[] = [];
  readonly layers: Map<string, Layer>;

  private constructor(
    readonly base: string,
    readonly index: Index,
    flags: Uint8Array,
  ) {
    const { rows, columns } = index.grid;
    this.ordinal = new Int32Array(rows * columns).fill(-1);
    let next = 0;
    const where: number[] = [];
    for (const block of index.blocks) {
      this.offsets.push(next);
      for (let r = block.row; r < block.row + block.rows; r++)
        for (let c = block.column; c < block.column + block.columns; c++)
          if (flags[r * columns + c]) {
            this.ordinal[r * columns + c] = next++;
            where.push(r * columns + c);
          }
    }
    this.where = Int32Array.from(where);
    this.layers = new Map([...index.layers, ...(index.sums?.layers ?? [])].map((layer) => [layer.name, layer]));
  }

  static async open(base: string): Promise<Run> {
    const index = await load<Index>(base, "index");
    const file = `${base}data/index.js`;
    try {
      const flags = await unpackBits(index.cells, index.grid.rows * index.grid.columns);
      const run = new Run(base, index, flags);
      if (run.where.length !== index.blocks.reduce((sum, block) => sum + block.cells, 0)) throw new RangeError("cells");
      return run;
    } catch (error) {
      console.warn(error);
      throw new DataError("broken", file);
    }
  }

  get cells(): number {
    return this.where.length;
  }

  /** Centre of a cell in degrees. */
  place(cell: number): { lat: number; lon: number } {
    const { resolution, columns } = this.index.grid;
    const at = this.where[cell];
    return { lat: 90 - (Math.floor(at / columns) + 0.5) * resolution, lon: -180 + ((at % columns) + 0.5) * resolution };
  }

  /** The cell that holds a point, or -1 where it has no values. */
  at(lat: number, lon: number): number {
    const { resolution, rows, columns } = this.index.grid;
    const row = Math.min(rows - 1, Math.max(0, Math.floor((90 - lat) / resolution)));
    const column = ((Math.floor((lon + 180) / resolution) % columns) + columns) % columns;
    return this.ordinal[row * columns + column];
  }

  blockOf(cell: number): number {
    let k = this.offsets.length - 1;
    while (this.offsets[k] > cell) k--;
    return k;
  }

  /** The numbers of a block of a layer, [step][cell]. */
  async block(name: string, label: string, k: number): Promise<Int16Array> {
    const layer = this.layers.get(name);
    if (!layer) throw new DataError("missing", `${this.base}data/${label}/${name}`);
    const key = `${layer.group === "trust" || layer.group === "land" || layer.steps === 1 ? "static" : label}/${name}/${k}`;
    const done = this.unpacked.get(key);
    if (done) return done;
    const text = await load<string>(this.base, key);
    try {
      const numbers = await unpack(text, layer.steps, this.index.blocks[k].cells);
      this.unpacked.set(key, numbers);
      return numbers;
    } catch (error) {
      console.warn(error);
      throw new DataError("broken", `${this.base}data/${key}.js`);
    } finally {
      forget(this.base, key); // the text is no longer needed
    }
  }

  private readonly unpacked = new Map<string, Int16Array>();

  /** Let go of the fields of years that are not in `labels`. */
  keep(labels: string[]): void {
    for (const key of this.unpacked.keys()) {
      const label = key.split("/")[0];
      if (label !== "static" && !labels.includes(label)) this.unpacked.delete(key);
    }
  }

  /** Values of a cell in each step of a layer, NaN where missing. */
  async series(name: string, label: string, cell: number): Promise<number[]> {
    const k = this.blockOf(cell);
    const numbers = await this.block(name, label, k);
    const { cells } = this.index.blocks[k];
    const layer = this.layers.get(name)!;
    return Array.from({ length: layer.steps }, (_, s) => real(numbers[s * cells + cell - this.offsets[k]], layer.quantum));
  }

  regions(): Promise<Regions> {
    return load(this.base, "regions");
  }

  records(site: string): Promise<Records> {
    return load(this.base, `towers/${site}`);
  }
}

export function real(number: number, quantum: number): number {
  return number === FILL ? NaN : number * quantum;
}
