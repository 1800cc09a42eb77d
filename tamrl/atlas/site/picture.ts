// The view as a PNG with its title, colours and origin.
import { drawLegend } from "./legend";
import type { Scale } from "./colour";
import { download } from "./dom";
import type { Pane } from "./pane";
import type { Run } from "./run";

interface Part {
  pane: Pane;
  scale: Scale;
  world: string | null;
  text: string;
}

const EDGE = 24;
const FOOT = 40;
const RATIO = 2;

export function savePicture(run: Run, parts: Part[]): void {
  const style = getComputedStyle(document.documentElement);
  const [paper, ink, soft] = ["--card", "--ink", "--soft"].map((name) => style.getPropertyValue(name).trim());
  const below = Math.max(...parts.map((part) => (part.scale.classes.length ? 20 * Math.ceil(part.scale.classes.length / Math.max(1, Math.floor(part.pane.width / 150))) : 36)));
  const width = parts.reduce((sum, { pane }) => sum + pane.width, 0) + EDGE * (parts.length + 1);
  const height = EDGE + 30 + parts[0].pane.height + below + FOOT + EDGE;
  const canvas = document.createElement("canvas");
  canvas.width = width * RATIO;
  canvas.height = height * RATIO;
  const context = canvas.getContext("2d")!;
  context.scale(RATIO, RATIO);
  context.fillStyle = paper;
  context.fillRect(0, 0, width, height);
  let x = EDGE;
  for (const { pane, scale, world, text } of parts) {
    context.fillStyle = ink;
    context.font = "600 17px system-ui, sans-serif";
    context.fillText([text, world].filter(Boolean).join(" – "), x, EDGE + 14, pane.width);
    pane.copyTo(context, x, EDGE + 30);
    drawLegend(context, scale, x, EDGE + 38 + pane.height, Math.min(pane.width, scale.classes.length ? pane.width : 460), ink);
    x += pane.width + EDGE;
  }
  context.fillStyle = soft;
  context.font = "12px system-ui, sans-serif";
  const { index } = run;
  context.fillText(`${index.title} · run ${index.run} · configuration ${index.about.digests["configuration digest"]} · tamrl ${index.about.software.tamrl ?? ""} · coastlines: Natural Earth`, EDGE, height - EDGE + 6, width - 2 * EDGE);
  canvas.toBlob((blob) => blob && download(`${index.run}.png`, blob), "image/png");
}
