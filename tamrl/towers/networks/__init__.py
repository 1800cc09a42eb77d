"""Tower networks: one file for each. Dropping a file here is all it takes to add one.

The contract of a plug-in `networks/<name>.py` is `plugins.TowerNetwork`, with the abilities that `CAPABILITIES` declares;
`tests/towers/test_networks.py` holds every file present to it. The modules are light, as every plan of the workflow imports
them: what needs pandas stands in `tamrl.towers.reader` and is imported inside functions.

`class Options(Strict)`
    Its section `towers.<name>` of the configuration, all with defaults. Strings may hold `{results}` and `{data}`.

`inputs(options) -> list[str]`
    Files and folders that must exist before reading, in the order in which the readers get them. It opens no file. A path
    below `downloads/` is made by rule `download_towers`.

`read(paths, options, *, partitioning, step, ustar) -> (records, sites)`, a `TableNetwork`
    Two tables. `records` by `contracts.TOWERS`: site, date (start of the step, local standard time), gpp, reco, nee
    (gC m-2 d-1, NEE positive upwards), nee_qc (share of measured or well-filled half hours, 0 to 1), and drivers under the
    names and in the units of `tamrl/data/variables.yaml`; NaN where missing. `sites` by `contracts.SITES`, one row for each
    tower, made by `sites.site_table`. Readers end in `records.build_records`, which converts units, masks and counts fill
    values, and refuses units, time stamps and duplicates that cannot be. The stage then checks both tables against their
    contracts, and each tower against what towers can show (`quality.plausibility`). With `CAPABILITIES.alternatives` it also
    takes `alternatives` (`tamrl.alternatives`), what may differ from the chosen fluxes in further columns of `records`.

`archives(paths, options, *, step) -> list[Product]` and
`read_archive(product, *, paths, options, how: records.RecordChoice) -> (records, Site)`, an `ArchiveNetwork`
    Each tower is a file of its own: `survey` reads several at once and only what is new, and sets aside what cannot be read,
    whatever it does to its reader. `Product.reason` says why one cannot be read, where that is known beforehand. Of several
    products of one tower `survey.choose_products` takes one. `_oneflux.OnefluxNetwork` declares networks of ONEFlux archives.

`fetch(options, folder)`, a `FetchingNetwork`
    Fills `downloads/<name>`, where the files are not those of a fixed list. It raises `OutageError` where the network or a
    server fails, so that no tower is left out for it. For a fixed list, `CAPABILITIES.download` names it in
    `tamrl/data/sources.tsv`.

`remark(options) -> str`, a `RemarkingNetwork`
    What users must know of the data beyond their citation, such as a fault that reading puts right: one sentence without its
    full stop, or an empty text. It goes into the log, `citations.bib`, `acknowledgements.txt` and the report.

`CITATION: dict[str, str]`, optional
    title, author, year and doi of the network's publication, for `citations.bib`. What a single tower wants goes into the
    `citation` and `doi` of its `Site`.
"""
