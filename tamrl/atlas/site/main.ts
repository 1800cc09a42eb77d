// The page begins here: it reads its address, opens the run, and says so where that fails.
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { byId, h } from "./dom";
import { Page } from "./page";
import { Run } from "./run";
import { settle } from "./state";

async function start(): Promise<void> {
  const wait = byId("starting");
  try {
    if (!("DecompressionStream" in window)) throw new Error("This browser is too old for the atlas: one of 2023 or newer will do.");
    const run = await Run.open("");
    wait.remove();
    byId("app").hidden = false;
    settle(run.index.home);
    new Page(run);
  } catch (error) {
    console.warn(error);
    wait.replaceChildren(
      h("h1", {}, "The atlas cannot be shown"),
      h("p", {}, error instanceof Error ? error.message : String(error)),
      h("p", {}, "Copy the whole folder, or make it again with ", h("code", {}, "make atlas"), "."),
      h("p", {}, h("button", { type: "button", click: () => window.location.reload() }, "Try again"), " ", h("a", { href: "../report.html" }, "Open the report")),
    );
  }
}

void start();
