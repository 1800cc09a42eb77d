// Data arrive as scripts that call ATLAS.put: pages opened from disk may load scripts, but read no files.

declare global {
  interface Window {
    ATLAS: { put(key: string, content: unknown): void };
  }
}

/** A script is not there (`missing`), or it did not say what it should (`broken`). */
export class DataError extends Error {
  constructor(
    readonly kind: "missing" | "broken",
    readonly file: string,
  ) {
    super(kind === "missing" ? `The file ${file} is missing.` : `The file ${file} is broken.`);
  }
}

/** Names of runs: one may stand beside this one, at `results/NAME/atlas`. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Folder of the atlas of the run of this name. */
export function beside(name: string): string {
  if (!NAME.test(name)) throw new Error(`“${name}” is no name of a run, which is of letters, digits, dashes and underscores.`);
  return `../../${name}/atlas/`;
}

/** Where a script lies, after all dots and codes in it: in this atlas, or in that of a run beside it; others are not loaded. */
function address(base: string, file: string): string {
  const { href } = new URL(base + file, document.baseURI);
  const [home, runs] = [".", "../.."].map((folder) => new URL(`${folder}/`, document.baseURI).href);
  const [name, folder, ...rest] = href.startsWith(runs) ? href.slice(runs.length).split("/") : [];
  const path = href.startsWith(home) ? href.slice(home.length) : NAME.test(name) && folder === "atlas" ? rest.join("/") : "";
  if (!/^(coast|data\/[\w.\/-]+)\.js$/.test(path)) throw new DataError("missing", base + file);
  return href;
}

const handed = new Map<string, unknown>();
const asked = new Map<string, Promise<unknown>>();
const full = (base: string, key: string): string => `${base}|${key}`;

window.ATLAS ??= {
  put(key, content) {
    const script = document.currentScript as HTMLScriptElement | null;
    handed.set(full(script?.dataset.base ?? "", key), content);
  },
};

/** What the script of `key` hands over; `base` is the folder of the atlas, empty for this one. */
export function load<T>(base: string, key: string, file = `data/${key}.js`): Promise<T> {
  const name = full(base, key);
  let found = asked.get(name);
  if (!found) {
    found = fetchScript(base, file, name);
    found.catch(() => asked.delete(name)); // so that one may try again
    asked.set(name, found);
  }
  return found as Promise<T>;
}

/** Let go of what was loaded under keys that start with `prefix`. */
export function forget(base: string, prefix: string): void {
  for (const name of asked.keys()) if (name.startsWith(full(base, prefix))) asked.delete(name);
}

function fetchScript(base: string, file: string, name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.dataset.base = base;
    script.src = address(base, file);
    script.onload = () => {
      script.remove();
      if (handed.has(name)) resolve(handed.get(name));
      else reject(new DataError("broken", base + file));
      handed.delete(name);
    };
    script.onerror = () => {
      script.remove();
      reject(new DataError("missing", base + file));
    };
    document.head.append(script);
  });
}
