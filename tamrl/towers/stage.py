"""Stages of the towers: download, read and harmonise. No other module of this package opens or writes files of the run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from pydantic import JsonValue

from tamrl import contracts, escaping, registry, simulated
from tamrl.calendar import Step
from tamrl.errors import ConfigError, InputError
from tamrl.files import atomic, save_text, verified
from tamrl.plugins import fetches, reads_archives, remarks
from tamrl.seasons import mean_years
from tamrl.sections.inputs import Reading, Screening
from tamrl.towers import citations as credit
from tamrl.towers import koppen_map, merge, public_files, row_groups, survey
from tamrl.towers import sites as site_tables
from tamrl.towers.geojson import point_features
from tamrl.towers.quality import plausibility, seasons
from tamrl.towers.reader.records import add_implausible, check_network
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

AT_ONCE = 50
"""Number of towers that are merged and tested together."""

REMARK = "remark"
"""Column of a network's table of sites: a caveat about its data (`remark` of the plug-in), or empty."""


@stage
def download_towers(
    *, folder: str, network: str, options: Mapping[str, JsonValue] | None = None, sources: str = str(public_files.SOURCES)
) -> None:
    """Download the public files of a network.

    Parameters
    ----------
    folder : folder to make; it appears when all files are complete
    network : plug-in with a `DOWNLOAD` or a `fetch`
    options : the plug-in's options, for `fetch`
    sources : table of the public files

    Raises `ConfigError` if the network has no public files, and `DownloadError` if a file cannot be downloaded or does not
    match its checksum.
    """
    plugin = registry.load_network(network)
    if fetches(plugin):
        return plugin.fetch(plugin.Options(**(options or {})), Path(folder))
    dataset = plugin.CAPABILITIES.download
    if dataset is None:
        raise ConfigError(
            f"{network} has no files that can be downloaded without an account",
            where=sources,
            todo=f"set towers.{network}.path to the folder that holds them; docs/inputs.md says how to get them",
        )
    public_files.fetch_public_files(public_files.read_sources(Path(sources), dataset), Path(folder))


@stage
def read_network(
    *,
    paths: Sequence[str],
    table: str,
    sites: str,
    aside: str,
    network: str,
    options: Mapping[str, JsonValue],
    reading: Reading,
    step: Step,
    archives: str | None = None,
    threads: int = 1,
) -> None:
    """Read one network into `table` (Parquet, `contracts.TOWERS`) and `sites` (CSV, `contracts.SITES`).

    Parameters
    ----------
    paths : result of the plug-in's `inputs`
    aside : CSV of the archives that could not be read: site, file, reason
    archives : folder of the cache of single archives
    threads : archives read at once
    """
    plugin = registry.load_network(network)
    plan = survey.SurveyPlan(step, **reading.model_dump(), threads=threads, store=Path(archives) if archives else None)
    inputs, chosen, where = [Path(p) for p in paths], plugin.Options(**options), f"network {network}"
    if reads_archives(plugin):
        with survey.store_folder(plan.store) as store:
            read, not_read = survey.read_archives(plugin, inputs, chosen, plan, store)
            places = _write_towers(read, table, where=where)
    else:
        frame, places, not_read = survey.read_tables(plugin, inputs, chosen, plan)
        frame, places = check_network(frame, places, where=where)
        _write(frame, table)
    _log.info("%s: %d towers, %d archives set aside", network, len(places), len(not_read))
    remark = plugin.remark(chosen) if remarks(plugin) else ""
    if remark:
        _log.warning("%s: %s", network, remark)
    _write(not_read, aside)
    _write(places.assign(**{REMARK: remark}), sites)


def _write_towers(towers: Sequence[survey.ReadTower], table: str, *, where: str) -> pd.DataFrame:
    """Check and write the records tower by tower, with one in memory at a time; return the sites."""
    places = site_tables.check_coordinates(site_tables.table_of_sites(t.site for t in towers), where=where)
    ids = [t.site.site for t in towers]
    site_tables.check_ids(ids, where=where)
    statistics = pd.concat([t.statistics for t in towers], ignore_index=True)
    plausibility.judge_statistics(statistics, where=where)
    names, implausible = dict.fromkeys(n for t in towers for n in t.columns), []
    with row_groups.open_writer(table, list(names)) as write:
        for tower, site in zip(towers, ids, strict=True):
            frame, report = plausibility.mask_failed(tower.table(), statistics[statistics["site"] == site], where=where)
            implausible.append(report)
            write(contracts.check_table(frame, contracts.TOWERS, where=where))
    return add_implausible(places, pd.concat(implausible), ids, where=where)


@stage
def harmonise_towers(
    *,
    tables: Sequence[str],
    sites: Sequence[str],
    aside: Sequence[str],
    records: str,
    towers: str,
    geojson: str,
    quality: str,
    credits: Sequence[str],
    screening: Screening,
    step: Step,
    koppen: str | None = None,
    virtual: bool = False,
) -> None:
    """Merge the networks, judge the records, and write the towers that can be used.

    Parameters
    ----------
    tables, sites, aside : output of `read_network`, in the order of `towers.networks`
    records : Parquet by `contracts.TOWERS`: every record of the remaining towers; fluxes that failed a test are missing
    towers : CSV by `contracts.SITES` with `first`, `last` and `n` of the good steps, `also_in` (other networks that hold
        the tower), `height` (m) and `time_shift` (h)
    geojson : the same as points, for any GIS (RFC 7946)
    quality : CSV by `contracts.QUALITY`: what each test removed per site, including entire towers
    credits : citations (BibTeX) and acknowledgements for the remaining towers
    koppen : map of Köppen-Geiger groups (`koppen_map.fill_koppen`) for towers whose metadata name none
    virtual : whether the towers were simulated; tables and points are then labelled (`simulated.COLUMN`)

    Raises `InputError` if no tower is left; names the tests that removed them.
    """
    known = [_read_sites(s) for s in sites]
    networks = [p["network"].iloc[0] for p in known]
    remarks = {name: p[REMARK].iloc[0] for name, p in zip(networks, known, strict=True) if REMARK in p and p[REMARK].iloc[0]}
    known = [p.drop(columns=REMARK, errors="ignore") for p in known]
    places, owner = merge.merge_sites(known)
    places = koppen_map.fill_koppen(merge.flag_managed(places, screening.managed), koppen)
    with row_groups.open_writer(records, [*row_groups.stored_columns(tables), "flags"]) as write:
        places, report = _judge(dict(zip(networks, tables, strict=True)), places, owner, write, step=step, screening=screening)
        report = pd.concat([report, merge.report_set_aside([_read_aside(a) for a in aside])], ignore_index=True)
        _require_towers(places, report, where=", ".join(tables))
    contracts.write_table(quality, report, contracts.QUALITY, virtual=virtual)
    contracts.write_table(towers, places, contracts.SITES, virtual=virtual)
    plugins = {name: registry.load(registry.NETWORKS, name) for name in places["network"].unique()}
    cited = {name: citation for name, plugin in plugins.items() if (citation := getattr(plugin, "CITATION", None))}
    save_text(geojson, point_features(simulated.label_table(places, virtual)))
    for path, text in zip(credits, (credit.bibtex, credit.acknowledgements), strict=True):
        save_text(path, text(places, cited, remarks))


def _judge(
    tables: Mapping[str, str],
    places: pd.DataFrame,
    owner: pd.Series,
    write: Callable[[pd.DataFrame], None],
    *,
    step: Step,
    screening: Screening,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merge and test batches of towers from `tables` (path by network); return the remaining towers and the report."""
    good_places, reports, years = [], [], []
    for start in range(0, len(places), AT_ONCE):
        batch = places.iloc[start : start + AT_ONCE]
        ids = batch["site"].tolist()
        ids += [old for old, new in site_tables.RENAMED.items() if new in ids]
        read = [row_groups.read_rows_of(path, ids) for path in tables.values()]
        parts = merge.select_owned(read, list(tables), owner) or read[:1]
        frame = pd.concat(parts, ignore_index=True).sort_values(["site", "date"], ignore_index=True)
        frame, good, report = merge.judge_records(frame, batch, step=step, exclude=screening.exclude, limits=screening.quality)
        write(contracts.check_table(frame, contracts.TOWERS, where=", ".join(tables.values())))
        good_places.append(good)
        reports.append(report)
        if "seasons" in screening.quality.tests:
            years.append(mean_years(frame, batch.set_index("site")["lat"]))
    if years:
        seasons.check_networks(pd.concat(years), owner)
    report = pd.concat(reports, ignore_index=True)
    order = {test: k for k, test in enumerate(dict.fromkeys(report["test"]))}
    report = report.sort_values("test", key=lambda tests: tests.map(order), kind="stable", ignore_index=True)
    return pd.concat(good_places, ignore_index=True), report


def _require_towers(places: pd.DataFrame, report: pd.DataFrame, *, where: str) -> None:
    """Log what each test removed; raise an error if no tower is left."""
    dropped = report.groupby("test", sort=False)["dropped"].agg(["sum", "size"])
    _log.info("dropped by each test (records; rows of the report):\n%s", dropped.to_string())
    if places.empty:
        raise InputError(
            "no tower is left to learn from",
            where=where,
            found=", ".join(f"{test} dropped {n}" for test, n in dropped["sum"].items() if n) or "no records with fluxes",
            todo="lower towers.quality.nee_qc or towers.quality.min_steps, or add towers; the log says more",
        )


def _write(frame: pd.DataFrame, path: str) -> None:
    with atomic(path) as part:
        if path.endswith(".parquet"):
            frame.to_parquet(part, index=False)
        else:
            escaping.write_csv(frame, part)


def _read_aside(path: str) -> pd.DataFrame:
    return escaping.unescape_table(pd.read_csv(verified(path), dtype=str, keep_default_na=False))


def _read_sites(path: str) -> pd.DataFrame:
    """A table of sites; ids and reasons stay text, whatever they look like."""
    text = ("site", "network", "igbp", "koppen", "managed", "implausible_note", REMARK, *site_tables.SAID)
    frame = pd.read_csv(
        verified(path), dtype=dict.fromkeys(text, str), keep_default_na=False, na_values={c: [""] for c in site_tables.NUMBERS}
    )
    return contracts.check_table(
        site_tables.site_table(escaping.unescape_table(frame).to_dict("records")), contracts.SITES, where=path
    )
