"""The report of a run: figures, tables and pages from what `results` reads; no module here computes a flux.

| module | does |
|---|---|
| `results`, `map_sums` | read the files of a run once |
| `sums` | sums over a map, block by block: mean maps, latitude bands, Hovmöller, comparison with a reference |
| `style`, `projection` | colours, fonts and the Equal Earth projection of every figure |
| `figures` | data in, matplotlib `Figure` out |
| `pages` | contents, texts and tables, as HTML and Markdown |
| `stage`, `summary`, `adaptation` | write `report.html` and `figures/`, `summary.md`, and the page of adapted models |
"""
