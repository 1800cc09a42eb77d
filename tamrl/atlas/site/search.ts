// Search: a field and its hits.
import { byId, h } from "./dom";

export interface Hit {
  text: string;
  detail: string;
  go(): void;
}

/** A field with a list of hits below it (the combobox pattern of WAI-ARIA). */
export class Search {
  private readonly field = byId<HTMLInputElement>("search");
  private readonly list = byId("hits");
  private hits: Hit[] = [];
  private chosen = 0;

  constructor(private readonly find: (text: string) => Hit[]) {
    this.field.addEventListener("input", () => this.show());
    this.field.addEventListener("focus", () => this.show());
    this.field.addEventListener("blur", () => window.setTimeout(() => this.close(), 150));
    this.field.addEventListener("keydown", (event) => this.key(event));
  }

  private show(): void {
    const text = this.field.value.trim();
    this.hits = text ? this.find(text).slice(0, 8) : [];
    this.chosen = 0;
    this.render(text);
  }

  private render(text: string): void {
    const options = this.hits.map((hit, k) =>
      h("li", { id: `hit-${k}`, role: "option", "aria-selected": String(k === this.chosen), pointerdown: (event) => { event.preventDefault(); this.go(k); } }, h("b", {}, hit.text), h("span", { class: "soft" }, hit.detail)));
    if (text && !options.length) options.push(h("li", { class: "soft" }, "Nothing found: try a tower, a country, a region, or 48°06′N 11°30′E"));
    this.list.replaceChildren(...options);
    this.list.hidden = !options.length;
    this.field.setAttribute("aria-expanded", String(!!options.length));
    if (this.hits.length) this.field.setAttribute("aria-activedescendant", `hit-${this.chosen}`);
    else this.field.removeAttribute("aria-activedescendant");
  }

  private key(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.hits.length) {
      this.chosen = (this.chosen + step + this.hits.length) % this.hits.length;
      this.render(this.field.value);
      event.preventDefault();
    } else if (event.key === "Enter" && this.hits.length) this.go(this.chosen);
    else if (event.key === "Escape") this.close();
  }

  private go(k: number): void {
    const hit = this.hits[k];
    this.field.value = hit.text;
    this.close();
    this.field.blur();
    hit.go();
  }

  private close(): void {
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
  }
}
