// Hands on a map: drag, wheel, pinch, double-click and keys.
import type { View } from "./view";

export interface Hands {
  view(): View;
  size(): { width: number; height: number };
  /** Show another place; `moving` until the hand rests. */
  move(view: View, moving: boolean): void;
  choose(x: number, y: number, touch: boolean): void;
  hover(x: number, y: number): void;
  leave(): void;
  /** Pixels of a degree at the middle. */
  degree(): number;
}

export function handle(element: HTMLElement, hands: Hands): void {
  const points = new Map<string, { x: number; y: number }>();
  let travelled = 0;
  let rest = 0;
  const local = (event: MouseEvent): { x: number; y: number } => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const settle = (): void => {
    window.clearTimeout(rest);
    rest = window.setTimeout(() => hands.move(hands.view(), false), 160);
  };
  const pan = (dx: number, dy: number): void => {
    const view = hands.view();
    const step = hands.degree();
    hands.move({ ...view, lon: view.lon - dx / step / Math.max(0.25, Math.cos((view.lat * Math.PI) / 180)), lat: view.lat + dy / step }, true);
    settle();
  };
  const zoom = (factor: number, x: number, y: number): void => {
    const view = hands.view();
    const { width, height } = hands.size();
    const step = hands.degree();
    const keep = 1 - 1 / factor; // the place under the hand stays under it
    const next = { ...view, zoom: view.zoom * factor };
    next.lon += (((x - width / 2) / step) * keep) / Math.max(0.25, Math.cos((view.lat * Math.PI) / 180));
    next.lat -= ((y - height / 2) / step) * keep;
    hands.move(next, true);
    settle();
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button > 0 || !(event.target instanceof HTMLCanvasElement || event.target === element)) return;
    element.setPointerCapture(event.pointerId);
    points.set(String(event.pointerId), local(event));
    if (points.size === 1) travelled = 0;
  });
  element.addEventListener("pointermove", (event) => {
    const at = local(event);
    const before = points.get(String(event.pointerId));
    if (!before) {
      if (event.pointerType === "mouse") hands.hover(at.x, at.y);
      return;
    }
    const [dx, dy] = [at.x - before.x, at.y - before.y];
    travelled += Math.hypot(dx, dy);
    if (points.size === 1) {
      if (travelled > 4) pan(dx, dy);
    } else {
      const [a, b] = [...points.values()];
      const far = Math.hypot(a.x - b.x, a.y - b.y);
      points.set(String(event.pointerId), at);
      const [c, d] = [...points.values()];
      zoom(Math.hypot(c.x - d.x, c.y - d.y) / Math.max(1, far), (c.x + d.x) / 2, (c.y + d.y) / 2);
    }
    points.set(String(event.pointerId), at);
    hands.leave();
  });
  const end = (event: PointerEvent): void => {
    const at = points.get(String(event.pointerId));
    points.delete(String(event.pointerId));
    if (at && event.type === "pointerup" && travelled <= 6 && points.size === 0) hands.choose(at.x, at.y, event.pointerType !== "mouse");
  };
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
  element.addEventListener("pointerleave", () => hands.leave());
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = local(event);
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), at.x, at.y);
  }, { passive: false });
  element.addEventListener("dblclick", (event) => {
    const at = local(event);
    zoom(2, at.x, at.y);
  });
  element.addEventListener("keydown", (event) => {
    const { width, height } = hands.size();
    const steps: Record<string, [number, number]> = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (steps[event.key]) pan(...steps[event.key]);
    else if (event.key === "+" || event.key === "=") zoom(1.5, width / 2, height / 2);
    else if (event.key === "-") zoom(1 / 1.5, width / 2, height / 2);
    else if (event.key === "Enter") hands.choose(width / 2, height / 2, false);
    else return;
    event.preventDefault();
  });
}
