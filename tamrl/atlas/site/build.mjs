// One classic script and one style: pages opened from disk may not import modules.
import { build } from "esbuild";
import { countries } from "./countries.mjs";

const shared = { bundle: true, minify: true, format: "iife", target: ["es2022"], outdir: "out", legalComments: "none", logLevel: "error" };
await build({ ...shared, entryPoints: { atlas: "main.ts" }, define: { COUNTRIES: JSON.stringify(countries()) } });
await build({ ...shared, entryPoints: { coast: "coast.ts" } });
