// Names, middles and sizes of countries from Natural Earth (public domain), as world-atlas brings it.
import { readFileSync } from "node:fs";
import { geoArea, geoBounds, geoCentroid } from "d3-geo";
import { feature } from "topojson-client";

const WORDS = {
  "Rep.": "Republic", "Dem.": "Democratic", "Is.": "Islands", "S.": "South", "N.": "Northern", "W.": "Western", "Eq.": "Equatorial", "Herz.": "Herzegovina", "St.": "Saint",
  "Fr.": "French", "Br.": "British", "Ter.": "Territory", "Geo.": "Georgia", "Vin.": "Vincent", "Gren.": "the Grenadines",
};
const ALSO = {
  "United States of America": "USA US America", "United Kingdom": "UK Great Britain England Scotland Wales", "Democratic Republic Congo": "Congo Kinshasa DRC Zaire", Congo: "Congo Brazzaville",
  "Côte d'Ivoire": "Ivory Coast", Czechia: "Czech Republic", eSwatini: "Swaziland", Macedonia: "North Macedonia", Myanmar: "Burma", Netherlands: "Holland", Turkey: "Türkiye",
  "Cabo Verde": "Cape Verde", "Timor-Leste": "East Timor", "São Tomé and Principe": "Sao Tome", Curaçao: "Curacao", Åland: "Aland", "Saint-Barthélemy": "Saint Barthelemy",
};

/** [name, other names, lon, lat, degrees across] of each country, by its largest piece of land. */
export function countries() {
  const world = JSON.parse(readFileSync("node_modules/world-atlas/countries-50m.json", "utf8"));
  const round = (value) => Math.round(value * 10) / 10;
  return feature(world, world.objects.countries).features.map(({ geometry, properties }) => {
    const pieces = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
    const [largest] = pieces.map((coordinates) => ({ type: "Polygon", coordinates })).sort((a, b) => geoArea(b) - geoArea(a));
    const [[west, south], [east, north]] = geoBounds(largest);
    const [lon, lat] = geoCentroid(largest);
    const name = properties.name.split(" ").map((word) => WORDS[word] ?? word).join(" ");
    return [name, ALSO[name] ?? "", round(lon), round(lat), round(Math.max((east - west + 360) % 360, 2 * (north - south)))];
  }).sort((a, b) => a[0].localeCompare(b[0]));
}
