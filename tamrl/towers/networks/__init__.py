"""Tower networks: one file, one network. Dropping a file here is all it takes to add one.

The contract of a plug-in `networks/<name>.py` (held by `tests/towers/test_networks.py` for every file present):

`class Options(Strict)`
    Its section `towers.<name>` of the configuration, all with defaults. It is read from the source without importing the
    module, so it may use only pathlib, typing, pydantic and `tamrl.options`. Strings may hold `{results}` and `{data}`.

`inputs(options: Options) -> list[str]`
    Files and folders that must exist before `read`, in the order in which `read` gets them. Snakemake calls it while it
    builds the graph: it looks at no content, and the module imports neither torch nor anything slow.
    A path below `downloads/` is made by rule `download_towers`.

`read(paths: list[Path], options: Options, *, partitioning: "NT" | "DT", step: "day" | "month", ustar: "REF" | "USTAR50")
-> (records, sites)`
    Two tables. `records` by `contracts.TOWERS`: site, date (start of the step, local standard time), gpp, reco, nee
    (gC m-2 d-1, NEE positive upwards), nee_qc (share of measured or well-filled half hours, 0 to 1), and drivers under the
    names and in the units of `tamrl/data/variables.yaml`; NaN where missing. `sites` by `contracts.SITES`, one row a tower; use
    `sites.site_table`, which adds the columns `fills_targets` and `fills_drivers`. Readers end in `records.build_records`, which
    converts units, masks and counts fill values, and refuses units, time stamps and duplicates that cannot be. The stage
    then checks both tables against their contracts and each tower against what towers can show (`quality.plausibility`).

`archives(paths, options, *, step) -> list[oneflux.Product]` and
`read_archive(product, *, paths, options, how: records.Reading) -> (records, place)`, instead of `read`
    Where each tower is a file of its own: `survey` then reads them many at once and only what is new, and sets aside what
    cannot be read, whatever it does to its reader. `place` is the tower's row of `sites` as a dict. Of a product that cannot
    be read, and of which that is known beforehand, `reason` says why. Of several products of
    one tower `survey.choose_products` takes one.

`DOWNLOAD: str`, optional
    Name of the network's public files in `tamrl/data/sources.tsv`.

`CITATION: dict`, optional
    title, author, year and doi of the network's publication, for `citations.bib`. What a single tower wants goes into the
    columns `citation` and `doi` of its place.

`remark(options: Options) -> str`, optional
    What users must know of the network's data beyond their citation, such as a fault that reading puts right, in a sentence
    without its full stop; empty for nothing. It goes into the log, `citations.bib`, `acknowledgements.txt` and the page on the
    quality of the towers.

`fetch(options: Options, folder: Path) -> None`, optional
    Fills `downloads/<name>`, where the files are not those of a fixed list. It raises `OutageError` where the network or a
    server fails, so that nothing is left out for it.
"""
