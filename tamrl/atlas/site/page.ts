// The page at work: it follows the state, and keeps map, panel, controls and address in step.
import { aboutPanel } from "./about";
import { period, scoreOf, skillColour, type App } from "./app";
import { choose, regionName, regionsPanel } from "./areas";
import { Controls } from "./controls";
import { coordinates } from "./coordinates";
import { byId, copy, digitsFor, h, number, placeName, signed } from "./dom";
import { colour, comparable, differs, hasSides, hatch, HATCHES, scaleFor, warningOf, worldOf, type Shown } from "./fields";
import { handle } from "./gestures";
import { legend, type Words } from "./legend";
import { begins, letters, PLACES, ZONES } from "./gazetteer";
import { beside, DataError } from "./load";
import { loadCoast, Pane, type Marks } from "./pane";
import { savePicture } from "./picture";
import { placePanel } from "./place";
import { ReaderPolygons } from "./polygons";
import { Run } from "./run";
import { Search, type Hit } from "./search";
import { sources, valueAt, type Source } from "./source";
import { decode, encode, type State } from "./state";
import { filtered, towersPanel } from "./stations";
import type { Scale } from "./colour";
import type { Regions } from "./types";
import { HOME, placeAt, scaleOf, tidy, type View } from "./view";

const VIEW = ["lon", "lat", "zoom", "projection"];
const PANEL = ["tab", "cell", "tower", "region", "flux", "month", "label", "igbp", "koppen", "theme", "otherRun", "compare"];
const MARKS = ["towers", "cell", "tower", "region", "tab", "igbp", "koppen", "flux", "theme"];
const STEPS = ["tab", "cell", "tower", "region", "otherRun"]; // of which “Back” goes back
const FIELDS = ["flux", "show", "label", "month", "compare", "other", "otherMonth", "otherRun", "hatch"];

interface Stage {
  pane: Pane;
  shown: Shown | null;
  scale: Scale | null;
  hatched: number[];
  turn: number;
}

export class Page implements App {
  state: State;
  readonly sources: Map<string, Source>;
  readonly polygons = new ReaderPolygons();
  private readonly controls: Controls;
  private readonly stages: Stage[] = [];
  private beside: { name: string; run: Run; sources: Map<string, Source> } | null = null;
  private regions: Regions | null = null;
  private panelTurn = 0;
  private panelWait = 0;
  private hoverTurn = 0;

  constructor(readonly run: Run) {
    this.sources = sources(run);
    this.state = this.checked(decode(window.location.hash));
    window.history.replaceState(null, "", `#${encode(this.state)}`);
    this.controls = new Controls(this);
    for (const id of ["pane-a", "pane-b"]) this.stages.push(this.stage(byId(id)));
    new Search((text) => this.find(text));
    this.frame();
    this.listen();
    this.apply(new Set([...VIEW, ...PANEL, ...MARKS, ...FIELDS]));
    void run.regions().then((regions) => { this.regions = regions; this.checkRegion(); this.drawMarks(); }).catch((error) => this.fail(error, () => window.location.reload()));
    window.setTimeout(() => void loadCoast().then(() => this.look(false)).catch(() => this.say("Closer coastlines are missing; the coarse ones stay.")), 600);
  }

  /** A state that this run can show; what an address asks for in vain is told. */
  private checked(state: State): State {
    const { labels, towers } = this.run.index;
    const unknown: string[] = [];
    const lacks = (name: string, value: string): void => { unknown.push(`${name} “${value.slice(0, 60)}”`); };
    if (!labels.includes(state.label)) {
      if (state.label) lacks("year", state.label);
      state.label = labels[labels.length - 1];
    }
    if (!this.sources.has(this.idOf(state))) {
      lacks("layer", state.show);
      state.show = "mean";
    }
    if (state.other && !state.otherRun && !this.sources.has(state.other)) {
      lacks("layer", state.other);
      state.other = "";
    }
    if (state.tower && !towers.some((tower) => tower.site === state.tower)) {
      lacks("tower", state.tower);
      state.tower = "";
    }
    for (const id of ["igbp", "koppen"] as const) {
      if (!state[id] || towers.some((tower) => tower[id] === state[id])) continue;
      lacks("class", state[id]);
      state[id] = "";
    }
    this.note(unknown);
    return state;
  }

  private checkRegion(): void {
    const { region } = this.state;
    if (!region || this.regions!.kinds[region]) return;
    this.note([`region “${region.slice(0, 60)}”`]);
    this.set({ region: "" });
  }

  /** Tell what an address names and this run lacks. */
  private note(unknown: string[]): void {
    if (!unknown.length) return;
    const host = byId("note");
    const text = [host.dataset.unknown, ...unknown].filter(Boolean).join(", ");
    host.dataset.unknown = text;
    host.replaceChildren(h("p", {}, `The link names what this run lacks: ${text}. The rest of it is shown.`), h("button", { type: "button", click: () => { host.hidden = true; host.dataset.unknown = ""; } }, "Close"));
    host.hidden = false;
  }

  private idOf(state: State): string {
    return this.sources.has(`${state.flux}.${state.show}`) ? `${state.flux}.${state.show}` : state.show;
  }

  source(): Source {
    return this.sources.get(this.idOf(this.state))!;
  }

  /** What was chosen to compare with; else the truth, the same of another run, or the same in the opposite season. */
  second(): { id: string; month: number } {
    const { state } = this;
    const month = state.otherMonth < 0 ? state.month : state.otherMonth;
    const [own, truth] = [this.idOf(state), `${state.flux}.truth`];
    if (state.other) return { id: state.other, month };
    if (!state.otherRun && own === `${state.flux}.mean` && this.sources.has(truth)) return { id: truth, month };
    if (state.otherRun || state.otherMonth >= 0) return { id: own, month };
    if (!this.source().monthly) return { id: `${state.flux}.mean`, month };
    return { id: own, month: state.month === 1 ? 7 : 1 };
  }

  /** Keep what is compared comparable when something else is chosen. */
  private follow(change: Partial<State>): void {
    const before = this.state;
    if (change.flux && before.other.startsWith(`${before.flux}.`)) change.other ??= change.flux + before.other.slice(before.flux.length);
    const next = { ...before, ...change };
    if (next.compare !== "difference" || !(change.flux || change.show || change.compare)) return;
    const first = this.sources.get(this.idOf(next))!;
    const other = this.sources.get(next.other);
    if (!differs(first, next.otherRun)) change.compare = "one";
    else if (other && !comparable(first, other)) change.other = "";
  }

  private frame(): void {
    const { index } = this.run;
    byId("title").textContent = index.title;
    byId("run").textContent = `run ${index.run}`;
  }

  // ---- state ----

  set(change: Partial<State>): void {
    this.follow(change);
    const changed = new Set(Object.keys(change).filter((key) => this.state[key as keyof State] !== change[key as keyof State]));
    if (!changed.size) return;
    if (change.cell && !change.tab) { change.tab = "place"; changed.add("tab"); }
    const step = STEPS.some((key) => changed.has(key));
    if (step) this.write(); // the place that “Back” comes to
    this.state = { ...this.state, ...change };
    if (step) window.history.pushState(null, "", `#${encode(this.state)}`);
    this.apply(changed);
  }

  private address = 0;

  /** Write the state into the address. */
  private write(): void {
    window.clearTimeout(this.address);
    window.history.replaceState(null, "", `#${encode(this.state)}`);
  }

  private writeSoon(): void {
    window.clearTimeout(this.address);
    this.address = window.setTimeout(() => this.write(), 150);
  }

  /** Follow the address: a link that was opened here, or the way back. */
  private readonly follows = (): void => {
    if (window.location.hash.slice(1) === encode(this.state)) return;
    const next = this.checked(decode(window.location.hash));
    const changed = new Set(Object.keys(next).filter((key) => JSON.stringify(next[key as keyof State]) !== JSON.stringify(this.state[key as keyof State])));
    window.clearTimeout(this.address);
    this.state = next;
    if (this.regions) this.checkRegion();
    this.apply(changed);
  };

  private apply(changed: Set<string>): void {
    const any = (keys: string[]): boolean => keys.some((key) => changed.has(key));
    this.controls.sync(this.source());
    if (any(["compare", "theme"])) this.arrange();
    if (any(VIEW) || any(["compare", "theme"])) this.look(false);
    if (any(FIELDS)) void this.colourAll();
    if (any(MARKS)) this.drawMarks();
    if (any(PANEL)) this.panelSoon(changed.size === 1 && changed.has("month"));
    if (changed.has("label")) this.run.keep([this.state.label]);
    this.tip(null, 0, 0);
    this.writeSoon();
  }

  // ---- maps ----

  private stage(host: HTMLElement): Stage {
    const stage: Stage = { pane: new Pane(host), shown: null, scale: null, hatched: [], turn: 0 };
    handle(host, {
      view: () => this.state,
      size: () => stage.pane,
      degree: () => (scaleOf(this.state, stage.pane.width, stage.pane.height) * Math.PI) / 180,
      move: (view, moving) => this.move(view, moving),
      choose: (x, y, touch) => this.pick(stage, x, y, touch ? 8 : 9),
      hover: (x, y) => void this.hover(stage, x, y),
      leave: () => this.tip(null, 0, 0),
    });
    new ResizeObserver(() => { if (stage.pane.measure()) this.lookNow(false); }).observe(host); // at once: an empty map would flash
    return stage;
  }

  private shownStages(): Stage[] {
    return this.state.compare === "two" ? this.stages : [this.stages[0]];
  }

  /** One map or two. */
  private arrange(): void {
    const maps = byId("maps");
    maps.classList.toggle("two", this.state.compare === "two");
    maps.classList.toggle("rows", window.innerWidth < 1100);
    for (const id of ["pane-b", "legend-b"]) byId(id).hidden = this.state.compare !== "two";
    for (const stage of this.shownStages()) stage.pane.measure();
  }

  private move(view: View, moving: boolean): void {
    const { pane } = this.stages[0];
    const { lon, lat, zoom } = tidy({ ...view, projection: this.state.projection }, pane.width, pane.height);
    this.state = { ...this.state, lon, lat, zoom };
    this.look(moving);
    this.writeSoon();
  }

  private looking = 0;

  private look(moving: boolean): void {
    window.cancelAnimationFrame(this.looking);
    this.looking = window.requestAnimationFrame(() => this.lookNow(moving));
  }

  private lookNow(moving: boolean): void {
    const { pane } = this.stages[0];
    if (!pane.width && !pane.measure()) return;
    Object.assign(this.state, tidy(this.state, pane.width, pane.height));
    // a thumb scrolls the page where there is nothing of the map to move into sight
    const still = this.state.zoom <= 1 && this.state.projection === "map";
    for (const stage of this.stages) stage.pane.element.style.touchAction = still ? "pan-y" : "none";
    for (const stage of this.shownStages()) stage.pane.look(stage.shown?.run ?? this.run, this.state, moving);
  }

  fly(lat: number, lon: number, zoom: number): void {
    const from = { ...this.state };
    const to = { lat, lon: from.lon + ((((lon - from.lon + 180) % 360) + 360) % 360) - 180, zoom: Math.max(zoom, 1) };
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.move({ ...from, ...to }, false);
      return;
    }
    const begin = performance.now();
    const step = (now: number): void => {
      const t = Math.min(1, (now - begin) / 550);
      const ease = t * t * (3 - 2 * t);
      const mix = (a: number, b: number): number => a + (b - a) * ease;
      this.move({ ...this.state, lat: mix(from.lat, to.lat), lon: mix(from.lon, to.lon), zoom: from.zoom * (to.zoom / from.zoom) ** ease }, t < 1);
      if (t < 1) window.requestAnimationFrame(step);
    };
    window.requestAnimationFrame(step);
  }

  /** What each map shows. */
  private async contents(): Promise<Shown[]> {
    const { state } = this;
    const first: Shown = { run: this.run, source: this.source(), label: state.label, month: state.month };
    if (state.compare === "one") return [first];
    const other = await this.otherRun();
    const { id, month } = this.second();
    const source = other.sources.get(id);
    if (!source) throw new Error(`Run ${other.run.index.run} has no layer “${id}” to compare with.`);
    const label = other.run.index.labels.includes(state.label) ? state.label : other.run.index.labels[other.run.index.labels.length - 1];
    const second: Shown = { run: other.run, source, label, month };
    if (state.compare === "two") return [first, second];
    if (!comparable(first.source, second.source)) throw new Error(`${first.source.title} and ${second.source.title} cannot be subtracted: they differ in unit, or are classes.`);
    return [{ ...first, minus: second }];
  }

  private async otherRun(): Promise<{ run: Run; sources: Map<string, Source> }> {
    const name = this.state.otherRun;
    if (!name) return this;
    if (this.beside?.name !== name) {
      const run = await Run.open(beside(name));
      this.beside = { name, run, sources: sources(run) };
    }
    return this.beside;
  }

  async compared(): Promise<Run | null> {
    return this.state.otherRun && this.state.compare !== "one" ? (await this.otherRun()).run : null;
  }

  // ---- polygons of the reader's own ----

  async openPolygons(file: File): Promise<void> {
    this.set({ tab: "regions" });
    const regions = await this.run.regions();
    const opening = this.polygons.open(file, this.run, regions, this.state.label);
    void this.panel();
    const code = await opening;
    if (code) choose(this, regions, code);
    this.drawMarks();
    void this.panel();
  }

  removePolygons(): void {
    if (!this.regions) return;
    this.polygons.remove();
    this.set({ region: "" });
    void this.panel();
  }

  private takeDrops(): void {
    const holds = (event: DragEvent): boolean => !!event.dataTransfer?.types.includes("Files");
    const mark = (over: boolean): void => { document.documentElement.classList.toggle("dropping", over); };
    document.addEventListener("dragover", (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      mark(true);
    });
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(false); });
    document.addEventListener("drop", (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      mark(false);
      const [file] = event.dataTransfer?.files ?? [];
      if (file) void this.openPolygons(file);
    });
  }

  private async colourAll(): Promise<void> {
    const turn = ++this.stages[0].turn;
    try {
      const all = await this.contents();
      if (turn !== this.stages[0].turn) return;
      this.calm();
      await Promise.all(all.map((shown, k) => this.colourOne(this.stages[k], shown, turn)));
      if (turn !== this.stages[0].turn) return;
      const { dataset } = document.documentElement; // for those who wait for the picture
      dataset.first ??= String(Math.round(performance.now()));
      dataset.drawn = String(turn);
    } catch (error) {
      if (turn === this.stages[0].turn) this.fail(error, () => void this.colourAll());
    }
  }

  private async colourOne(stage: Stage, shown: Shown, turn: number): Promise<void> {
    const before = stage.shown;
    stage.shown = shown;
    const scale = await scaleFor(shown);
    if (turn !== this.stages[0].turn) return;
    this.title(stage, shown, scale);
    if ((before?.run ?? this.run) !== shown.run) stage.pane.look(shown.run, this.state, false);
    const kinds = this.state.hatch ? await hatch(shown) : null;
    if (turn !== this.stages[0].turn) return;
    stage.hatched = HATCHES.map((_, k) => k).filter((k) => k && kinds?.includes(k));
    stage.pane.hatch(kinds);
    const out = new Uint32Array(shown.run.cells);
    let waiting = 0;
    const draw = (): void => {
      waiting = 0;
      if (turn === this.stages[0].turn) stage.pane.colour(out);
    };
    await colour(shown, scale, out, () => (waiting ||= window.requestAnimationFrame(draw)));
    window.cancelAnimationFrame(waiting);
    draw();
    if (turn === this.stages[0].turn) this.title(stage, shown, scale); // now it is known how far the values reach
  }

  private words(shown: Shown, hatched: number[]): Words {
    const when = (part: { source: Source; month: number; label: string }): string => (part.source.monthly ? period({ ...this.state, month: part.month, label: part.label }) : "");
    const named = (part: Shown | NonNullable<Shown["minus"]>): string => [part.source.title, when(part), part.run === this.run ? "" : `run ${part.run.index.run}`].filter(Boolean).join(", ");
    const title = shown.minus ? `${named(shown)} − ${named(shown.minus)}` : named(shown);
    return { title, unit: shown.source.unit, world: worldOf(shown), warning: warningOf(shown), sides: hasSides(shown), hatched };
  }

  private title(stage: Stage, shown: Shown, scale: Scale): void {
    stage.scale = scale;
    const k = this.stages.indexOf(stage);
    const host = byId(`legend-${"ab"[k]}`);
    const words = this.words(shown, stage.hatched);
    const [first] = this.stages;
    const same = k === 1 && !scale.classes.length && first.scale?.lut.length === scale.lut.length && ["low", "high"].every((end) => first.scale![end as "low"] === scale[end as "low"]) && first.scale.lut.every((value, i) => value === scale.lut[i]);
    host.replaceChildren(legend(scale, words, same));
    byId(`pane-${"ab"[k]}`).setAttribute("aria-label", `World map of ${[words.title, words.world, words.warning].filter(Boolean).join(", ")}. Arrow keys move, plus and minus zoom, Enter chooses the cell in the middle.`);
  }

  private drawMarks(): void {
    const { state, run } = this;
    const chosen = state.tab === "towers" ? state.tower : "";
    const dots = state.towers || state.tab === "towers" ? filtered(this).map((tower) => ({ id: tower.site, lon: tower.lon, lat: tower.lat, fill: state.tab === "towers" ? skillColour(scoreOf(this, tower)) : "#ffffff", chosen: tower.site === chosen })) : [];
    const cell = state.cell && state.tab === "place" ? run.at(state.cell.lat, state.cell.lon) : -1;
    const marks: Marks = {
      dots,
      cell: cell < 0 ? (state.cell && state.tab === "place" ? { ...state.cell, size: 0 } : null) : { ...run.place(cell), size: run.index.grid.resolution },
      rings: (state.tab === "regions" && this.regions?.outlines[state.region]?.rings) || [],
    };
    for (const stage of this.stages) stage.pane.mark(marks);
  }

  // ---- hands ----

  private pick(stage: Stage, x: number, y: number, reach: number): void {
    const dot = stage.pane.dotAt(x, y, reach);
    if (dot) {
      this.set({ tab: "towers", tower: dot });
      this.showAnswer();
      return;
    }
    const place = placeAt(this.state, stage.pane.width, stage.pane.height, x, y);
    if (!place) return;
    const cell = this.run.at(place.lat, place.lon);
    this.set({ tab: "place", cell: cell < 0 ? place : this.run.place(cell) });
    byId("panel").scrollTop = 0;
    this.showAnswer();
  }

  /** On a narrow screen the answer stands below the map: bring it up, and leave a part of the map in sight. */
  private showAnswer(): void {
    const box = document.querySelector("aside")!.getBoundingClientRect();
    if (getComputedStyle(document.querySelector("main")!).display !== "block" || box.top < window.innerHeight * 0.6) return;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    window.scrollBy({ top: box.top - window.innerHeight * 0.4, behavior: calm ? "auto" : "smooth" });
  }

  private async hover(stage: Stage, x: number, y: number): Promise<void> {
    const turn = ++this.hoverTurn;
    const dot = stage.pane.dotAt(x, y, 9);
    if (dot) {
      const tower = this.run.index.towers.find((t) => t.site === dot)!;
      this.tip(`${dot}  ${[tower.igbp, tower.koppen].filter(Boolean).join(", ")}`, x, y, stage);
      return;
    }
    const place = placeAt(this.state, stage.pane.width, stage.pane.height, x, y);
    const shown = stage.shown;
    const cell = place && shown ? shown.run.at(place.lat, place.lon) : -1;
    if (!place || !shown || cell < 0) {
      this.tip(null, 0, 0);
      return;
    }
    try {
      const text = [await this.reading(shown, cell, place), warningOf(shown)].filter(Boolean).join("\n");
      if (turn === this.hoverTurn) this.tip(`${placeName(place.lat, place.lon, 1)}\n${text}`, x, y, stage);
    } catch (error) {
      if (!(error instanceof DataError)) throw error; // what is missing has been said over the map
      this.tip(null, 0, 0);
    }
  }

  /** The value of a cell as text. */
  private async reading(shown: Shown, cell: number, place: { lat: number; lon: number }): Promise<string> {
    const { source } = shown;
    let value = await valueAt(shown.run, source, shown.label, cell, shown.month);
    if (shown.minus) {
      const other = shown.minus.run.at(place.lat, place.lon);
      value -= other < 0 ? NaN : await valueAt(shown.minus.run, shown.minus.source, shown.minus.label, other, shown.minus.month);
    }
    const names = source.flags && shown.month ? source.flags : source.classes;
    if (names.length) return names[value] ?? "no value";
    const digits = digitsFor(source.high - source.low);
    const share = value === 0 && source.needs[0].includes(".") ? shown.run.layers.get("vegetated") : undefined;
    if (share && (await shown.run.series(share.name, shown.label, cell))[0] === 0) return "set to zero, not an estimate: no vegetation";
    return Number.isNaN(value) ? "no value" : `${shown.minus ? signed(value, digits) : number(value, digits)} ${source.unit}`;
  }

  private tip(text: string | null, x: number, y: number, stage?: Stage): void {
    const tip = byId("tip");
    tip.hidden = !text;
    if (!text || !stage) return;
    tip.textContent = text;
    const box = stage.pane.element.getBoundingClientRect();
    const right = box.left + x + 190 > window.innerWidth;
    tip.style.left = `${box.left + x + (right ? -14 - tip.offsetWidth : 14)}px`;
    tip.style.top = `${box.top + y + 14}px`;
  }

  private listen(): void {
    byId("in").addEventListener("click", () => this.move({ ...this.state, zoom: this.state.zoom * 1.6 }, false));
    byId("out").addEventListener("click", () => this.move({ ...this.state, zoom: this.state.zoom / 1.6 }, false));
    byId("home").addEventListener("click", () => this.home());
    byId("share").addEventListener("click", (event) => {
      this.write();
      void copy(window.location.href, event.currentTarget as HTMLElement);
    });
    byId("png").addEventListener("click", () => savePicture(this.run, this.shownStages().filter((s) => s.shown && s.scale).map((s) => ({ pane: s.pane, scale: s.scale!, words: this.words(s.shown!, s.hatched) }))));
    for (const event of ["popstate", "hashchange"]) window.addEventListener(event, this.follows);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.apply(new Set(["theme"])));
    document.addEventListener("keydown", (event) => this.key(event));
    this.takeDrops();
  }

  private home(): void {
    this.move({ ...this.state, ...HOME, projection: this.state.projection }, false);
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
    const { month } = this.state;
    const acts: Record<string, () => void> = {
      "[": () => this.set({ month: month > 1 ? month - 1 : 12 }), "]": () => this.set({ month: (month % 12) + 1 }), "0": () => this.home(),
      "1": () => this.set({ flux: "gpp" }), "2": () => this.set({ flux: "reco" }), "3": () => this.set({ flux: "nee" }),
      g: () => this.set({ projection: this.state.projection === "map" ? "globe" : "map" }), "/": () => byId("search").focus(),
      " ": () => this.controls.toggle(),
    };
    if (!acts[event.key] || (event.key === " " && target.tagName === "BUTTON")) return;
    acts[event.key]();
    event.preventDefault();
  }

  private find(text: string): Hit[] {
    const hits: Hit[] = [];
    const place = coordinates(text);
    if (place) hits.push({ text: placeName(place.lat, place.lon), detail: "this place", go: () => { this.set({ tab: "place", cell: place }); this.fly(place.lat, place.lon, 4); } });
    const wanted = letters(text.trim());
    const { regions } = this;
    for (const code of Object.keys(regions?.kinds ?? {})) {
      const name = regionName(regions!, code);
      const zone = ZONES[code] ?? "";
      if (begins(name, wanted) || begins(zone, wanted) || code.toLowerCase().replace("srex-", "") === wanted) hits.push({ text: name, detail: zone || "region", go: () => choose(this, regions!, code) });
    }
    for (const { name, also, detail, lon, lat, across } of PLACES) {
      if (begins(name, wanted) || begins(also, wanted)) hits.push({ text: name, detail, go: () => this.fly(lat, lon, Math.min(20, Math.max(1, 150 / Math.max(across, 3)))) });
    }
    for (const tower of this.run.index.towers) {
      if (tower.site.toLowerCase().includes(wanted)) hits.push({ text: tower.site, detail: `tower, ${[tower.igbp, tower.koppen].filter(Boolean).join(", ")}`, go: () => { this.set({ tab: "towers", tower: tower.site }); this.fly(tower.lat, tower.lon, 4); } });
    }
    return hits.sort((a, b) => Number(letters(b.text).startsWith(wanted)) - Number(letters(a.text).startsWith(wanted)));
  }

  // ---- panel ----

  private panelSoon(later: boolean): void {
    window.clearTimeout(this.panelWait);
    this.panelWait = window.setTimeout(() => void this.panel(), later ? 140 : 0);
  }

  private async panel(): Promise<void> {
    const turn = ++this.panelTurn;
    const host = byId("panel");
    const current = (): boolean => turn === this.panelTurn;
    try {
      const { tab } = this.state;
      if (tab === "place") await placePanel(this, host, current);
      else if (tab === "regions") await regionsPanel(this, host, current);
      else if (tab === "towers") await towersPanel(this, host, current);
      else aboutPanel(this, host);
      host.dataset.shown = tab;
      this.announce();
    } catch (error) {
      if (!current()) return;
      if (!(error instanceof DataError)) console.warn(error);
      host.replaceChildren(h("p", { class: "problem", role: "alert" }, error instanceof Error ? error.message : String(error)), h("button", { type: "button", click: () => void this.panel() }, "Try again"));
    }
  }

  private announce(): void {
    const text = [...document.querySelectorAll<HTMLElement>("#panel [data-say]")].map((e) => e.dataset.say || e.textContent).join(". ");
    if (text !== byId("live").textContent) this.say(text);
  }

  private say(text: string): void {
    byId("live").textContent = text;
  }

  fail(error: unknown, again: () => void): void {
    console.warn(error);
    const text = error instanceof Error ? error.message : String(error);
    const help = error instanceof DataError ? " Copy the whole folder of the atlas, or make it again with “make atlas”." : "";
    byId("problem").replaceChildren(h("p", {}, text + help), h("button", { type: "button", click: () => { this.calm(); again(); } }, "Try again"), h("button", { type: "button", click: () => this.calm() }, "Close"));
    byId("problem").hidden = false;
  }

  private calm(): void {
    byId("problem").hidden = true;
  }
}
