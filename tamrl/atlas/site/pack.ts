// Reads what tamrl/atlas/pack.py wrote.

export const FILL = -32768;

function bytes(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

async function inflate(text: string): Promise<Uint8Array> {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Numbers [step][cell], one after the other. Throws where there are not as many as there should be. */
export async function unpack(text: string, steps: number, cells: number): Promise<Int16Array> {
  const planes = await inflate(text);
  const count = steps * cells;
  if (planes.length !== 2 * count) throw new RangeError(`${planes.length} bytes instead of ${2 * count}`);
  const out = new Int16Array(count);
  for (let s = 0; s < steps; s++) {
    let sum = 0;
    for (let c = 0; c < cells; c++) {
      const i = s * cells + c;
      const zigzag = (planes[i] << 8) | planes[count + i];
      sum += (zigzag >>> 1) ^ -(zigzag & 1);
      out[i] = (s ? out[i - cells] : 0) + sum; // wraps around in 16 bits, as it was packed
    }
  }
  return out;
}

/** Flags, the first in the highest bit of the first byte. */
export async function unpackBits(text: string, count: number): Promise<Uint8Array> {
  const packed = await inflate(text);
  if (packed.length !== Math.ceil(count / 8)) throw new RangeError(`${packed.length} bytes of flags for ${count} cells`);
  const out = new Uint8Array(count);
  for (let i = 0; i < count; i++) out[i] = (packed[i >> 3] >> (7 - (i & 7))) & 1;
  return out;
}
