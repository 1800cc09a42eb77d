// What the panels know of the page.
import type { ReaderPolygons } from "./polygons";
import type { Run } from "./run";
import type { Source } from "./source";
import type { State } from "./state";
import { MONTHS, type Flux, type Score, type Tower } from "./types";

export interface App {
  readonly state: State;
  readonly run: Run;
  readonly sources: Map<string, Source>;
  /** Polygons of the reader's own. */
  readonly polygons: ReaderPolygons;
  /** Read polygons from a file and show the first. */
  openPolygons(file: File): Promise<void>;
  /** Show no polygons of the reader's own any more. */
  removePolygons(): void;
  /** The run that this one is compared with, if any. */
  compared(): Promise<Run | null>;
  /** Change the state; the page follows. */
  set(change: Partial<State>): void;
  /** Move the map to a place, at least as close as `zoom`. */
  fly(lat: number, lon: number, zoom: number): void;
  /** Show a problem with a way to try again. */
  fail(error: unknown, again: () => void): void;
  /** What is shown now. */
  source(): Source;
  /** What it is compared with: the id of a layer, and a month. */
  second(): { id: string; month: number };
}

/** Name of the month that is shown, with the year where there is one. */
export function period(state: State): string {
  const month = state.month ? MONTHS[state.month - 1] : "mean of";
  return state.label === "climatology" ? (state.month ? month : "mean of the year") : `${month} ${state.label}`;
}

/** The score of the maps' model at a tower for a flux, with the inputs of the maps. */
export function scoreOf(app: App, tower: Tower): number | null {
  return ownScore(app, tower, app.state.flux)?.nse ?? null;
}

/** Scores of the maps' model at a tower, with the inputs of the maps. */
export function ownScore(app: App, tower: Tower, flux: Flux): Score | null {
  const split = app.run.index.about.split ?? Object.keys(tower.scores)[0];
  return tower.scores[split]?.[app.run.index.model]?.[flux] ?? null;
}

/** Colour of a score: better than the tower's own mean, or not. Told apart by lightness too. */
export function skillColour(nse: number | null): string {
  if (nse === null) return "#8a949a";
  return nse >= 0.5 ? "#0b5563" : nse >= 0 ? "#45a6a0" : "#e0923a";
}
