// The panel about the run: what made it, how to cite it, whose data it is, and how the page is used.
import type { App } from "./app";
import { h } from "./dom";

/** Text with its DOIs as links. */
function linked(text: string): (Node | string)[] {
  return text.split(/(10\.\d{4,9}\/[^\s,;)]+)/).map((part, k) => (k % 2 ? h("a", { href: `https://doi.org/${part.replace(/\.$/, "")}`, rel: "noreferrer" }, part) : part));
}

const pairs = (entries: Record<string, string>): HTMLElement => h("dl", { class: "pairs" }, ...Object.entries(entries).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, ...linked(value))]));

export function aboutPanel(app: App, host: HTMLElement): void {
  const { index } = app.run;
  const { about } = index;
  host.replaceChildren(
    h("h2", {}, index.title),
    ...(index.virtual_earth ? [h("p", { class: "warn" }, `Data of a ${index.virtual_earth}. Its numbers say nothing about the real Earth.`)] : []),
    h("p", {}, "Run ", h("b", {}, index.run), `, made ${about.made}. Maps by ${index.model}, ${index.grid.resolution}°, shown by month; fluxes are carbon mass per area of land and day, NEE = RECO − GPP, positive towards the atmosphere. Shown values are rounded to ${quantum(app)} gC m⁻² d⁻¹.`),
    h("p", { class: "actions" }, h("a", { class: "button", href: "../report.html" }, "Report"), ...index.maps.slice(0, 3).map((name) => h("a", { class: "button", href: `../maps/${name}` }, name))),
    h("h3", {}, "How this came about"), pairs(about.digests),
    h("h3", {}, "Please cite"), h("p", {}, ...linked(about.cite)), pairs(about.sources),
    h("p", { class: "actions" }, ...index.credits.map((name) => h("a", { class: "button", href: name }, name)), h("a", { class: "button", href: "licences.txt" }, "licences of this page")),
    h("p", { class: "soft" }, about.coast + "."),
    h("h3", {}, "Keys"),
    pairs({ "arrow keys": "move the map", "+ and −": "closer and further", "Enter": "choose the cell in the middle", "[ and ]": "month before and after", "space": "play", "1 2 3": "GPP, RECO, NEE", "g": "map or globe", "/": "search", "0": "whole Earth" }),
    h("h3", {}, "Software"), pairs(about.software),
  );
}

const quantum = (app: App): string => String(app.run.layers.get("gpp.mean")?.quantum ?? "");
