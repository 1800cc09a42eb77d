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
    script.src = base + file;
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
