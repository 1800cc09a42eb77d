"""Captions, alternative texts and notes of the report; `contents` fills in `{...}`."""

CAPTIONS = {
    "independent": "Yearly sums of towers against what is judged there, with the 90 % interval of a measured year. Filled: "
    "between 23.5° S and 23.5° N. On the line, prediction and tower agree.",
    "products_totals": "Global totals: the run with the 90 % interval of the total itself, and the products. Hollow: a product "
    "on its own cells, with its own land where it has such. Filled: on the land of the run, with the run's flux where the "
    "product has none; drawn where both cover 90 % of it.",
    "products_anomalies": "Global totals of years less their mean over the years that run and product share. Thick: the run. "
    "What its anomalies are worth at held-out towers stands above.",
    "products_taylor": "Taylor diagrams over months and cells, weighted by land: the angle is the correlation, the distance from "
    "the origin the standard deviation of the run over that of the product. The star is the product. Circles: globe; triangles: "
    "climates.",
    "products_cycles": "Mean seasonal cycles on common cells by latitude band. Thick: the run, on the cells of each product.",
    "maps": "Left: mean over the mapped time. Middle: {middle} Right: predictive standard deviation of one {step}, averaged over "
    "time. It is calibrated on held-out towers. It says how far the flux of one {step} may lie from the map, not how uncertain "
    "the mean is. Equal Earth projection, which shows areas true. Grey land has no value ({missing:.1f} % of land and time, "
    "Antarctica included).",
    "member_spread": "How much the mean over time differs among the {members} members (independent seeds and resampled towers). "
    "What all members get wrong together is not in it.",
    "applicability": "Dissimilarity index and area of applicability (Meyer & Pebesma 2021): outside, a cell is less like the "
    "training towers than a held-out tower was. The black line in the colour bar is the threshold. "
    "The mask is part of every map file.",
    "seasonal_cycles": "Mean seasonal cycle over the land of each latitude band, {bins}{band}{dashed}",
    "latitude_time": "Mean over the land of each latitude against the time of the year.",
    "reference_errors": "Above: mean estimate minus {label}. Below: share of {step}s in which the {label} lies inside the 90 % "
    "interval. The interval is that of the flux of the cell, without the noise of tower records. Steps of bare land and ice, "
    "where neither spread nor {label} reaches 0.02 gC m⁻² d⁻¹, are not counted.",
    "reference_scatter": "Means over time of all land cells, estimate against {label}; NSE (1 − SSE/SST), RMSE and bias are "
    "weighted by land area; cells without flux (bare land, ice) are left out. Axes hold 99.8 % of the cells.",
    "reference_budgets": "Totals by latitude band, estimate and {label}, over the cells and days with both. Bars: one standard "
    "deviation of the members, which is smaller than the error.",
    "reference_reliability": "Left: coverage of the 90 % interval by latitude. Middle: share of land and time with the {label} "
    "below, inside and above it. Right: error found where a given standard deviation was predicted; on the diagonal the "
    "prediction is right, below it too cautious.",
    "truth_coverage": "Share of the true fluxes inside their 90 % intervals: of cells (weighted by land area) in each file, of "
    "blocks, bands, all mapped land, and changes from one year to the next. Filled: the intervals of files and tables. Open: "
    "mean ± 1.645 standard deviations of the members alone. Shaded: 85 to 95 %. One run has one truth of all land a year, so "
    "that its share says little there.",
    "tower_rmse": "RMSE by {step} of every held-out tower (a point each; NEE quality ≥ {qc:g}). Box: quartiles and median, which "
    "is written beside it; whiskers: 10th to 90th percentile. Points above the axis lie on its edge.",
    "tower_differences": "Paired differences of RMSE at the same tower and the same scored {step}s, median over towers with its "
    "{percent:.0f} % bootstrap interval over towers. Filled: the interval excludes zero.",
    "tower_changes": "How much lower the RMSE by {step} is than that of each rival at the same towers: change of the median "
    "over towers (dots), geometric mean of the changes at each tower (squares), change of the 90th percentile (diamonds), with "
    "{percent:.0f} % bootstrap intervals over groups of towers. Filled: the interval excludes zero. Dashed: the target of the "
    "median, where one is set.",
    "tower_ways": "How far the model comes by {step} on the way from the best rival of each flux (0) to what the tower's own "
    "fluxes tell of it (100): geometric means of the RMSE over the same towers at the same steps, with {percent:.0f} % bootstrap "
    "intervals over groups of towers. Filled: the interval excludes zero. Dashed: the target, where one is set.",
    "tower_scales": "Nash–Sutcliffe efficiency by time scale: median over towers and interquartile range. The tower's own "
    "mean would score zero. Trends consist of anomalies and years.",
    "tower_density": "All scored {step}s of all held-out towers, {model}. Axes hold 99.8 % of the values.",
    "tower_means": "Mean of each tower (seasonal cycle of at least ten months) by {model}. NSE = 1 − SSE/SST about the mean of "
    "the towers, with its {percent:.0f} % bootstrap interval: zero is no spatial skill.",
    "tower_classes": "Efficiency by IGBP class and climate (number of towers), {model}; line: median of three towers or more. "
    "Evergreen broadleaf forest (EBF) and the tropics, where upscaling usually fails, are marked.",
    "tower_map": "Held-out towers by class, and how well {model} predicts each. The marker says the range of the NSE.",
    "tower_calibration": "Left: share of each tower's {step}s inside its 90 % interval (line: mean over towers). Middle: "
    "probability integral transform under a normal distribution; a hump means too wide, a bowl too narrow. Right: error found "
    "where a given standard deviation was predicted. {calibrated}",
    "error_structure": "Correlation of the errors of monthly means at held-out towers, each divided by its predicted deviation "
    "(points), and the model that totals use (lines). Left: at one tower. A correlation that stays high after many months is a "
    "constant offset of the site that no input explains. Middle and right: between towers, of their mean errors and of their "
    "anomalies in the same month. If correlations end within some tens of km, errors average out in large regions.",
    "tower_dissimilarity": "RMSE by {step} of {model} at every held-out tower against its dissimilarity to the towers that "
    "trained without it; bars: medians of five equal groups of towers; dashed: threshold of the area of applicability. ρ: "
    "Spearman's rank correlation with its {percent:.0f} % bootstrap interval over towers.",
    "tower_series": "Records of three held-out towers with the calibrated 90 % interval, chosen by rule: lowest, median and "
    "highest RMSE relative to the median of the towers, averaged over the fluxes; the two years with most good observations. "
    "Lines bridge gaps of up to {gap} days.",
    "budgets": "Totals of {of}, {period}; error bars: 90 % intervals of these totals.{beside}",
    "choices": "Totals of the {every} by this run and by defensible alternatives (section choices of the configuration). Dot: "
    "mean; bar: 90 % interval; yellow, of the globe: published. If the dots scatter wider than the bars, the choice of method is "
    "the larger uncertainty.",
    "model_errors": "RMSE by {step} of each model (NEE quality ≥ {qc:g}): median (dots) and 90th percentile (diamonds) over the "
    "held-out towers with {percent:.0f} % bootstrap intervals over groups of towers.",
    "model_groups": "Median RMSE by {step} of each model by IGBP class, by climate and in the tropics (within 23.5° of the "
    "equator; number of towers; groups of {least} or more). Marked: evergreen broadleaf forest (EBF) and the tropics, where "
    "upscaling usually fails.",
    "class_coverage": "Share of observations inside the calibrated 90 % interval of {model}, towers weighing the same: of all, "
    "by class, season, zone and tenth of the observed flux. Grey: limits, where they are set; hollow: outside them.",
    "stations": "Left: every tower that was read, by land-cover class, and those left out (the table below says why). "
    "Right: years of good {step}s that each tower kept.",
    "fingerprints": "NEE of the towers with most good records of different classes, one row a year. Grey: not measured, or "
    "removed by a test.",
    "quality": "Records that lost a flux, or a driver where the test concerns drivers. They stay in the tables as missing. "
    "Nothing is filled.",
    "seasons": "Mean year of GPP and of each driver at {count} towers from south (light) to north (dark); dashed: southern "
    "hemisphere. If the season of a driver does not fit latitude or GPP, its months are wrong.",
    "drivers": "Gridded minus measured input, one point per tower; bar: median; points beyond the axis lie on its edge. No model "
    "can correct these differences. A tower's local day is compared with the UTC day of the same date.",
}

ALTERNATIVES = {
    "independent": "Yearly sums of GPP, RECO and NEE of independent towers against predictions.",
    "products_totals": "Global totals by year of the run with 90 % intervals, and of products of others.",
    "products_anomalies": "Anomalies of global totals by year of the run and of products of others.",
    "products_taylor": "Taylor diagrams of the run against products of others, one for each quantity.",
    "products_cycles": "Seasonal cycles by latitude band of the run and of products of others.",
    "maps": "Nine world maps, a row for each of GPP, RECO and NEE: estimate, comparison, uncertainty.",
    "member_spread": "Three world maps of the members' standard deviation of mean GPP, RECO and NEE.",
    "applicability": "Two world maps: dissimilarity to the towers, and the mask of where the models may be applied.",
    "seasonal_cycles": "Seasonal cycles of GPP, RECO and NEE in latitude bands.",
    "latitude_time": "Latitude against time of the year: GPP, RECO and NEE.",
    "reference_errors": "Six world maps of GPP, RECO and NEE: error against the {label}, and coverage of the 90 % interval.",
    "reference_scatter": "Density plots of estimate against {label} for three fluxes.",
    "reference_budgets": "Bars of regional totals, estimate beside {label}.",
    "reference_reliability": "Coverage by latitude, shares outside the interval, and error against predicted spread.",
    "truth_coverage": "Share of the truth inside the intervals of cells, blocks, bands, the globe and changes, for three fluxes.",
    "tower_rmse": "Distributions over towers of the RMSE of each model for GPP, RECO and NEE.",
    "tower_differences": "Differences of RMSE between the maps' model and its rivals, with intervals, by time scale.",
    "tower_changes": "Relative changes of RMSE against each rival, with intervals and targets.",
    "tower_ways": "Share of the way from the best rival to ceilings, with intervals and targets.",
    "tower_scales": "Efficiency by time scale and model.",
    "tower_density": "Density of predicted against observed fluxes.",
    "tower_means": "Predicted against observed mean fluxes of towers, coloured by climate.",
    "tower_classes": "Efficiency of towers by land-cover class and climate.",
    "tower_map": "World maps of towers by class and by efficiency.",
    "tower_calibration": "Coverage by tower, PIT histogram, and error against predicted spread.",
    "error_structure": "Correlograms of monthly errors in time and space, points with fitted lines, for three fluxes.",
    "tower_dissimilarity": "Error of held-out towers against their dissimilarity to the training towers.",
    "tower_series": "Observed and predicted fluxes of the best, a median and the worst held-out tower.",
    "budgets": "Bars of totals of GPP, RECO and NEE of {of}.",
    "choices": "Dot plot of totals of the {every} over defensible choices.",
    "model_errors": "Median and 90th percentile of RMSE of each model for GPP, RECO and NEE, with intervals.",
    "model_groups": "Median RMSE of each model by land-cover class, climate and in the tropics.",
    "class_coverage": "Coverage of the 90 % interval of all towers and by class, season, zone and tenth of the flux.",
    "stations": "Two world maps of the towers: by class with those left out, and by years of good records.",
    "fingerprints": "Pictures of NEE by year and time of the year for a few towers.",
    "quality": "Bars of the values removed by each quality test.",
    "seasons": "Lines of the mean year of GPP and of each driver, a line a tower.",
    "drivers": "Bias and correlation of each driver, grid against tower, a point a tower.",
}

OF_GLOBE = "the globe and its bands"
OF_REGION = "the mapped region and of the bands that lie in it in full"
BESIDE_REFERENCE = " Yellow: the {label}.{filled}"
FILLED = (
    " It covers {share} % of the land and time. Its gaps are filled with the estimate; where it covers less than {least} % it "
    "is left out."
)
BESIDE_PUBLISHED = (
    " Yellow: published global totals, GPP 106 to 130 PgC yr⁻¹ (range of published products), NEE −5.75 ± 0.33 PgC yr⁻¹ (X-BASE: "
    "Nelson & Walther et al. 2024, doi 10.5194/bg-21-5079-2024; fire and lateral fluxes excluded). For RECO there is none: "
    "X-BASE gives no respiration. A plausible total proves nothing by itself."
)
MIDDLE_REFERENCE = "{label}, in the same colours."
MIDDLE_TOWERS = "mean error (predicted minus measured) at towers that the model has not seen."
DASHED = (
    "; dashed: {label}.{filled} Number: share of the year in which the {label} lies in the band. The band is of the members: "
    "what all members get wrong is not in it."
)
TABLES = "Each table opens with a click. Its file has all digits."

NO_MEMBERS = "This run wrote no files of members (maps.members: false), so the figures that need them are left out."
NO_RIVAL = "Only one model was evaluated, so there are no paired differences."
NO_CHOICES = "No alternative choices were run: what the choice of method adds to the intervals is not known."
NONE_HARD = "No held-out tower is in the tropics or in evergreen broadleaf forest: errors there are unknown."
NONE_LEFT_OUT = "No tower was left out as a whole."
CALIBRATED_BY_FOLDS = "Each fold is calibrated on the towers of the other folds."
CALIBRATED_BY_HALVES = "Each half of the held-out towers is calibrated on the other half."
VIRTUAL = (
    "The towers of this world sample it with noise and gaps, as real ones do, and the models have seen nothing else. "
    "The truth below covers every cell and step."
)

LEAD = (
    "Maps of gross primary production (GPP), ecosystem respiration (RECO) and net ecosystem exchange (NEE) of {world}: {step} at "
    "{resolution:g}°, {period}, made by {made} from weather, satellite vegetation indices and flux towers. Every score at a "
    "tower is of a model that never saw it ({held} towers), and NEE = RECO − GPP holds in every cell and member."
)
LEAD_REGION = (
    " Mapped is a region alone ({region}): its totals, means by latitude and shares of land are those of this region, none "
    "of the globe. The towers that trained and test the models stand anywhere."
)
LEAD_TOWERS = (
    "{model} against {rivals} at {held} flux towers that trained none of them, {step}: gross primary production (GPP), ecosystem "
    "respiration (RECO) and net ecosystem exchange (NEE), in {folds} folds of whole groups of neighbouring towers. No map is "
    "made. Every interval is over groups of towers. What a model predicts closes, NEE = RECO − GPP, unless it is a rival that "
    "does not."
)
LEAD_VIRTUAL = " This world is simulated, not observed: its numbers say nothing about the real Earth."
LEAD_COMPARED = (
    " Because this world is simulated, not observed, the maps are also compared with the {label}, cell by cell; its numbers say "
    "nothing about the real Earth."
)

SCORE_NAMES = (
    "NSE is the coefficient of determination 1 − SSE/SST (what CarbonFluxBench and the paper of TAM-RL call R²), r² the squared "
    "Pearson correlation."
)

CEILING_NAMES = (
    "Ceilings have seen fluxes of the tower and are no rivals: `own_season` is the mean seasonal cycle of the tower's own fluxes "
    "from its other years, `adapted` the model adapted with months of the tower's fluxes, at the steps outside these; both at "
    "towers that have them only."
)

SOURCES = {
    "TAM-RL": "Rozanov, Renganathan, Kumar (2026), doi 10.48550/arXiv.2603.09974",
    "towers": "FLUXNET2015: Pastorello et al. (2020), doi 10.1038/s41597-020-0534-3, and the DOI of each tower",
    "meteorology": "ERA5: Hersbach et al. (2020), doi 10.1002/qj.3803",
    "vegetation": "MOD13C1 v061, doi 10.5067/MODIS/MOD13C1.061; MCD12C1 v061, doi 10.5067/MODIS/MCD12C1.061",
    "climate zones": "Beck et al. (2023), doi 10.1038/s41597-023-02549-6",
    "intervals": "Romano et al. (2019), doi 10.48550/arXiv.1905.03222",
    "applicability": "Meyer & Pebesma (2021), doi 10.1111/2041-210X.13650",
    "projection": "Equal Earth: Šavrič et al. (2019), doi 10.1080/13658816.2018.1504949",
}

IMITATED = ("towers", "meteorology", "vegetation", "climate zones")
"""Keys of `SOURCES` that a virtual Earth only imitates."""


def cited_sources(virtual: bool) -> dict[str, str]:
    """List method and data to cite by kind."""
    return {("imitated: " if virtual and name in IMITATED else "") + name: text for name, text in SOURCES.items()}


CITE = "Cite the maps by the run, the revision and the digest of the configuration above. Licence of the maps: {licence}. {terms}"
TERMS_VIRTUAL = "The inputs of this run are simulated: no terms of data providers apply to them."
TERMS_REAL = "The inputs keep the terms of their providers."

PRODUCTS = (
    "Products differ from the maps in towers, methods and land; no one of them is the truth. NEE is RECO − GPP. NBE, of "
    "inversions and of the Global Carbon Budget, holds fires and lateral fluxes too, so the run's NEE stands beside another "
    "quantity there."
)

INDEPENDENT = (
    "Yearly sums of towers that the judged models were not trained on. NSE is about the mean of the places, so that a constant "
    "scores 0; in brackets its 95 % interval over groups of neighbours. Distances lead to the nearest tower that trained. The "
    "interval is that of one measured year; a mean of several years varies less, so that it is too wide rather than too narrow."
)
