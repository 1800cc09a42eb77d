// Small words for making elements and writing numbers.

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | ((event: Event) => void) | null | undefined>;

/** An element; attributes that are functions are listeners, `false` and null are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return element;
}

/** The same for SVG. */
export function s(tag: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  element.append(...children.filter((child): child is Node | string => !!child));
  return element;
}

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const minus = (text: string): string => text.replace("-", "−");

/** A number with a true minus sign and no sign on zero; a dash where missing. */
export function number(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const text = value.toFixed(digits);
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
}

export function signed(value: number, digits = 2): string {
  return (value > 0 ? "+" : "") + number(value, digits);
}

/** Digits that tell values within a range apart. */
export function digitsFor(span: number): number {
  return span > 100 ? 0 : span > 10 ? 1 : span > 0.5 ? 2 : 3;
}

/** Decimals that evenly spaced ticks need, three at most. */
export function decimals(at: number[]): number {
  const step = at.length > 1 ? Math.abs(at[1] - at[0]) : 1;
  return [0, 1, 2].find((n) => Math.abs(step * 10 ** n - Math.round(step * 10 ** n)) < 1e-6) ?? 3;
}

/** A total in PgC, with three significant digits. */
export function mass(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return number(value, digitsOf(value));
}

/** Decimals of a total. */
export function digitsOf(value: number): number {
  const size = Math.abs(value);
  return size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3;
}

/** Decimals that an error of this size leaves a number: one digit of the error, two where that begins with a one. */
export function digitsOfError(error: number | null, value: number): number {
  if (error === null || !(error > 0)) return digitsOf(value);
  const power = Math.floor(Math.log10(error));
  return Math.min(6, Math.max(0, -power + (error / 10 ** power < 1.95 ? 1 : 0)));
}

export function placeName(lat: number, lon: number, digits = 2): string {
  return `${Math.abs(lat).toFixed(digits)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(digits)}° ${lon < 0 ? "W" : "E"}`;
}

/** Offer content as a file. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export async function copy(text: string, button: HTMLElement): Promise<void> {
  const before = button.textContent;
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    const area = h("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy"); // pages opened from disk may lack the clipboard
    area.remove();
  }
  button.textContent = done ? "Copied" : "Could not copy";
  setTimeout(() => (button.textContent = before), 1600);
}
