"""The report of a run: pure functions make figures and tables from what `stage` reads; nothing here computes a flux.

| module | makes |
|---|---|
| `fields` | sums over a map, block by block: mean maps, latitude bands, Hovmöller, comparison with a reference |
| `style`, `projection` | colours, fonts and the Equal Earth projection of every figure |
| `maps`, `reference`, `towers`, `calibration`, `budgets` | figures (data in, matplotlib `Figure` out) |
| `tables`, `page` | tables, and the HTML file from `templates/report.html` |
| `stage` | opens the run's files, writes `report.html` and `figures/` |
"""
