// The view as a PNG with its title, colours and origin.
import { drawLegend, type Words } from "./legend";
import type { Scale } from "./colour";
import { download } from "./dom";
import type { Pane } from "./pane";
import type { Run } from "./run";

interface Part {
  pane: Pane;
  scale: Scale;
  words: Words;
}

const EDGE = 24;
const HEAD = 52;
const FOOT = 52;
const RATIO = 2;

export function savePicture(run: Run, parts: Part[]): void {
  const style = getComputedStyle(document.documentElement);
  const [paper, ink, soft, warn] = ["--card", "--ink", "--soft", "--warn"].map((name) => style.getPropertyValue(name).trim());
  const below = Math.max(...parts.map((part) => (part.scale.classes.length ? 20 * Math.ceil(part.scale.classes.length / Math.max(1, Math.floor(part.pane.width / 150))) : 36)));
  const width = parts.reduce((sum, { pane }) => sum + pane.width, 0) + EDGE * (parts.length + 1);
  const height = EDGE + HEAD + parts[0].pane.height + below + FOOT + EDGE;
  const canvas = document.createElement("canvas");
  canvas.width = width * RATIO;
  canvas.height = height * RATIO;
  const context = canvas.getContext("2d")!;
  context.scale(RATIO, RATIO);
  context.fillStyle = paper;
  context.fillRect(0, 0, width, height);
  let x = EDGE;
  for (const { pane, scale, words } of parts) {
    context.fillStyle = ink;
    context.font = "600 17px system-ui, sans-serif";
    context.fillText(`${words.title}${words.unit ? `, ${words.unit}` : ""}`, x, EDGE + 14, pane.width);
    context.fillStyle = warn;
    context.font = "600 13px system-ui, sans-serif";
    context.fillText([words.world, words.warning].filter(Boolean).join(" · "), x, EDGE + 36, pane.width);
    pane.copyTo(context, x, EDGE + HEAD);
    drawLegend(context, scale, x, EDGE + HEAD + 8 + pane.height, Math.min(pane.width, scale.classes.length ? pane.width : 380), ink, words);
    x += pane.width + EDGE;
  }
  context.fillStyle = soft;
  context.font = "12px system-ui, sans-serif";
  const { index } = run;
  const lines = [
    `${index.title} · run ${index.run} · configuration ${index.about.digests["configuration digest"]} · tamrl ${index.about.software.tamrl ?? ""} · coastlines: Natural Earth`,
    `Saved ${new Date().toISOString().slice(0, 10)} · view ${window.location.protocol === "file:" ? window.location.hash : window.location.href}`,
  ];
  lines.forEach((line, k) => context.fillText(line, EDGE, height - EDGE - 10 + 18 * k, width - 2 * EDGE));
  canvas.toBlob((blob) => blob && download(`${index.run}.png`, blob), "image/png");
}
