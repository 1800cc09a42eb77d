// Latitude and longitude as people write them.

interface Angle {
  value: number;
  axis: "lat" | "lon" | null;
}

const NUMBER = String.raw`\d+(?:\.\d+)?`;
const ANGLE = new RegExp(
  String.raw`^(?:(lat(?:itude)?|lon(?:g(?:itude)?)?)\s*[:=]?\s*)?([NSEW])?\s*([+-])?\s*(${NUMBER})\s*(?:°|d|deg)?\s*(?:(${NUMBER})\s*(?:'|m|min)?\s*(?:(${NUMBER})\s*(?:"|s|sec)?)?)?\s*([NSEWO])?$`,
  "i",
);

function angle(text: string): Angle | null {
  const found = ANGLE.exec(text.trim());
  if (!found) return null;
  const [, word, before, sign, degrees, minutes = "0", seconds = "0", after] = found;
  const side = (before ?? after ?? "").toUpperCase().replace("O", "E"); // Ost
  if ((before && after) || Number(minutes) >= 60 || Number(seconds) >= 60 || (sign === "-" && side)) return null;
  const size = Number(degrees) + Number(minutes) / 60 + Number(seconds) / 3600;
  const axis = word ? (word.toLowerCase().startsWith("lat") ? "lat" : "lon") : side ? (/[NS]/.test(side) ? "lat" : "lon") : null;
  return { value: sign === "-" || /[SW]/.test(side) ? -size : size, axis };
}

/** One sign for each of the many that mean the same. */
function plain(text: string): string {
  return text.trim().replace(/[−–]/g, "-").replace(/[′’‘`]/g, "'").replace(/[″”“]|''/g, '"').replace(/[º˚]/g, "°").replace(/[()[\]]/g, "").replace(/^geo:/i, "");
}

/** Both angles of a text, wherever it may be divided. */
function* divided(text: string): Generator<[string, string]> {
  if (/[;|\/]/.test(text)) {
    const parts = text.split(/[;|\/]/).map((part) => part.replace(/(\d),(\d)/g, "$1.$2"));
    if (parts.length === 2) yield [parts[0], parts[1]];
    return;
  }
  const commas = text.split(",");
  if (commas.length === 2) yield [commas[0], commas[1]];
  if (commas.length === 4) yield [`${commas[0]}.${commas[1].trim()}`, `${commas[2]}.${commas[3].trim()}`]; // 48,1, 11,5
  const spaced = commas.length === 3 ? text.replace(/(\d),(\d)/g, "$1.$2") : text; // 48,1 11,5
  const words = spaced.replace(/,/g, " ");
  const middle = /[NS]\s*(?=[\d+-])|[EWO]\s*(?=[\d+-])/gi;
  for (const found of words.matchAll(middle)) yield [words.slice(0, found.index + 1), words.slice(found.index + 1)];
  const parts = words.split(/\s+/);
  const middles = parts.map((_, k) => k).sort((a, b) => Math.abs(a - parts.length / 2) - Math.abs(b - parts.length / 2));
  for (const k of middles) if (k) yield [parts.slice(0, k).join(" "), parts.slice(k).join(" ")];
}

/** Latitude and longitude written as `-3.1, -60`, `3.1 S 60 W`, `48°06'30"N 11°30'E`, `E 11.5 N 48.1` or `48,1; 11,5`; else null. */
export function coordinates(text: string): { lat: number; lon: number } | null {
  for (const [first, second] of divided(plain(text))) {
    const [a, b] = [angle(first), angle(second)];
    if (!a || !b || (a.axis && a.axis === b.axis)) continue;
    const [lat, lon] = a.axis === "lon" || b.axis === "lat" ? [b.value, a.value] : [a.value, b.value];
    if (Math.abs(lat) <= 90 && Math.abs(lon) <= 360) return { lat, lon: lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon };
  }
  return null;
}
