// Buttons, lists and the slider: they show the state and change it.
import type { App } from "./app";
import { byId, h } from "./dom";
import { comparable, differs } from "./fields";
import type { Source } from "./source";
import type { State, Tab } from "./state";
import { FLUXES, MONTHS } from "./types";

const QUANTITIES: [string, string][] = [
  ["mean", "Estimate"],
  ["std", "Predictive standard deviation of a step"],
  ["range", "Width of the 90 % range"],
  ["q05", "Lower bound (5 %)"],
  ["q95", "Upper bound (95 %)"],
  ["truth", "Truth"],
  ["error", "Error of the estimate"],
  ["inside", "Truth inside the 90 % range: share of days"],
];
const GROUPS: [string, string][] = [["trust", "How far to trust"], ["driver", "Drivers"], ["land", "Land"]];

export class Controls {
  private playing = 0;

  constructor(private readonly app: App) {
    const { run } = app;
    byId("flux").append(...FLUXES.map((flux) => h("button", { type: "button", "data-flux": flux, title: run.index.fluxes[flux].long, click: () => app.set({ flux, show: this.isFlux() ? app.state.show : "mean" }) }, run.index.fluxes[flux].short)));
    this.fillShow();
    this.fillYears();
    byId("runs").append(...(run.index.beside ?? []).map((name) => h("option", { value: name })));
    byId<HTMLInputElement>("other-run").placeholder = run.index.run;
    const other = byId<HTMLSelectElement>("other-month");
    other.append(h("option", { value: "-1" }, "same month"), h("option", { value: "0" }, "mean of the year"), ...MONTHS.map((name, m) => h("option", { value: m + 1 }, name)));
    this.listen();
  }

  private isFlux(): boolean {
    return QUANTITIES.some(([name]) => name === this.app.state.show);
  }

  private fillShow(): void {
    const { run, sources } = this.app;
    const word = (id: string, text: string): string => (id === "truth" && run.index.reference ? `${run.index.reference[0].toUpperCase()}${run.index.reference.slice(1)}` : text);
    const flux = h("optgroup", { label: "Flux" }, ...QUANTITIES.filter(([id]) => sources.has(`gpp.${id}`)).map(([id, text]) => h("option", { value: id }, word(id, text))));
    byId("show").append(flux, ...this.groups());
    const fluxes = FLUXES.map((f) => h("optgroup", { label: run.index.fluxes[f].short }, ...QUANTITIES.filter(([id]) => sources.has(`${f}.${id}`)).map(([id, text]) => h("option", { value: `${f}.${id}` }, `${run.index.fluxes[f].short}: ${word(id, text)}`))));
    byId("other").append(...fluxes, ...this.groups());
  }

  private groups(): HTMLElement[] {
    const layers = this.app.run.index.layers;
    return GROUPS.map(([group, label]) => h("optgroup", { label }, ...layers.filter((layer) => layer.group === group).map((layer) => h("option", { value: layer.name }, layer.title))));
  }

  private fillYears(): void {
    const { labels } = this.app.run.index;
    const select = byId<HTMLSelectElement>("year");
    select.append(...labels.map((label) => h("option", { value: label }, label)));
    byId("year-field").hidden = labels.length < 2;
  }

  private listen(): void {
    const { app } = this;
    const on = <T extends HTMLElement>(id: string, event: string, act: (element: T) => void): void => byId(id).addEventListener(event, () => act(byId<T>(id)));
    on<HTMLSelectElement>("show", "change", (e) => app.set({ show: e.value }));
    on<HTMLSelectElement>("compare", "change", (e) => app.set({ compare: e.value as State["compare"] }));
    on<HTMLSelectElement>("other", "change", (e) => app.set({ other: e.value }));
    on<HTMLSelectElement>("other-month", "change", (e) => app.set({ otherMonth: Number(e.value) }));
    on<HTMLSelectElement>("year", "change", (e) => app.set({ label: e.value }));
    on<HTMLInputElement>("month", "input", (e) => { this.stop(); app.set({ month: Number(e.value) }); });
    on<HTMLInputElement>("other-run", "change", (e) => app.set({ otherRun: e.value.trim() === app.run.index.run ? "" : e.value.trim(), other: "" }));
    on<HTMLInputElement>("hatch", "change", (e) => app.set({ hatch: e.checked }));
    on<HTMLInputElement>("dots", "change", (e) => app.set({ towers: e.checked }));
    on("projection", "click", () => app.set({ projection: app.state.projection === "map" ? "globe" : "map" }));
    on("more", "click", (button) => button.setAttribute("aria-expanded", String(document.querySelector(".bar")!.classList.toggle("open"))));
    on("play", "click", () => this.toggle());
    on("theme", "click", () => app.set({ theme: this.dark() ? "light" : "dark" }));
    document.querySelectorAll<HTMLElement>("[data-tab]").forEach((tab) => {
      tab.addEventListener("click", () => app.set({ tab: tab.dataset.tab as Tab }));
      tab.addEventListener("keydown", (event) => this.tabKey(event, tab));
    });
  }

  private tabKey(event: KeyboardEvent, tab: HTMLElement): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tabs = [...document.querySelectorAll<HTMLElement>("[data-tab]")];
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
    event.preventDefault();
  }

  dark(): boolean {
    const { theme } = this.app.state;
    return theme === "auto" ? window.matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
  }

  toggle(): void {
    if (this.playing) {
      this.stop();
      return;
    }
    const next = (): void => this.app.set({ month: (this.app.state.month % 12) + 1 });
    this.playing = window.setInterval(next, 700);
    this.showPlay();
    next();
  }

  stop(): void {
    window.clearInterval(this.playing);
    this.playing = 0;
    this.showPlay();
  }

  private showPlay(): void {
    const button = byId("play");
    button.setAttribute("aria-label", this.playing ? "Stop" : "Play the months");
    button.classList.toggle("playing", !!this.playing);
  }

  /** What the first is compared with; entries that cannot be subtracted are not offered. */
  private syncSecond(source: Source): void {
    const { state, sources } = this.app;
    const second = this.app.second();
    const select = byId<HTMLSelectElement>("other");
    for (const option of select.options) option.hidden = option.disabled = state.compare === "difference" && option.value !== second.id && !comparable(source, sources.get(option.value)!);
    for (const group of select.querySelectorAll("optgroup")) group.hidden = [...group.children].every((option) => (option as HTMLOptionElement).hidden);
    select.value = second.id;
    byId<HTMLSelectElement>("other-month").value = state.otherMonth < 0 && second.month === state.month ? "-1" : String(second.month);
    byId<HTMLSelectElement>("compare").querySelector<HTMLOptionElement>("[value=difference]")!.disabled = state.compare !== "difference" && !differs(source, state.otherRun);
  }

  /** Make the controls say what the state is. */
  sync(source: Source): void {
    const { state, run } = this.app;
    document.querySelectorAll<HTMLElement>("#flux [data-flux]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.flux === state.flux)));
    const set = (id: string, value: string): void => { byId<HTMLSelectElement>(id).value = value; };
    set("show", state.show);
    set("compare", state.compare);
    this.syncSecond(source);
    set("year", state.label);
    set("other-run", state.otherRun);
    byId<HTMLInputElement>("hatch").checked = state.hatch;
    set("month", String(state.month));
    byId<HTMLInputElement>("dots").checked = state.towers;
    const month = state.month ? MONTHS[state.month - 1] : "Mean of the year";
    byId("month").setAttribute("aria-valuetext", month);
    byId("month-name").textContent = state.month && state.label !== "climatology" ? `${month} ${state.label}` : month;
    byId("time").classList.toggle("constant", !source.monthly && state.compare === "one");
    byId("second").hidden = state.compare === "one";
    byId("projection").textContent = state.projection === "map" ? "Globe" : "Map";
    byId("theme").setAttribute("aria-label", this.dark() ? "Light colours" : "Dark colours");
    document.documentElement.dataset.theme = this.dark() ? "dark" : "light";
    document.querySelectorAll<HTMLElement>("[data-tab]").forEach((tab) => {
      const chosen = tab.dataset.tab === state.tab;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) byId("panel").setAttribute("aria-labelledby", tab.id);
    });
    document.title = `${source.title} – ${run.index.title}`;
  }
}
