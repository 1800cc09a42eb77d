"""`tamrl predict`: fluxes of places from their drivers."""

import argparse
from pathlib import Path

from tamrl.command.output import check_output, deliver_series
from tamrl.command.parsers import add_command
from tamrl.errors import InputError

DESCRIPTION = """Predict GPP, RECO and NEE of places and days from a table of drivers, with calibrated 90 % intervals.

The table has one row a day (or month, as the run has), with columns such as date, TA_F, VPD_F, SW_IN_F, EVI (docs/inputs.md,
network `table`); site, lat, lon and igbp stand in it, or are options here. A year of drivers or more is needed: the model knows
a place by its mean seasonal cycle. Missing drivers give missing fluxes. `applicability` is 0 where a place is unlike the towers
that trained the model, 1 where it is not, and -1 where that is not known.

Without MODEL the model of the package predicts; `tamrl card` shows what trained it, what it reads and how well it does.

examples:
  tamrl predict --drivers my-site.csv --lat 51.1 --lon 10.5 --igbp DBF --koppen Temperate
  tamrl predict results/real --drivers my-site.csv --lat 51.1 --lon 10.5 --igbp DBF --koppen Temperate
  tamrl predict results/real --drivers my-sites.csv --column air_temperature=t2m --unit air_temperature=K --output fluxes.nc
  tamrl predict results/real/models/tamrl/fold-0 --drivers my-site.csv --measurement --json"""


def add_predict(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = add_command(
        commands, "predict", predict_places, description=DESCRIPTION, summary="fluxes of places from a table of drivers"
    )
    parser.add_argument("source", metavar="MODEL", nargs="?", help="run, folder of a fold, or name or file of a released model")
    parser.add_argument("--drivers", required=True, metavar="FILE", help="CSV, Parquet or NetCDF (site, time)")
    place = parser.add_argument_group("place of a table of one place")
    place.add_argument("--lat", type=float, help="degrees north")
    place.add_argument("--lon", type=float, help="degrees east")
    place.add_argument("--elevation", type=float, help="m above the sea")
    place.add_argument("--igbp", help="class of land cover, such as DBF")
    place.add_argument("--koppen", help="climate, such as Temperate or Cfb")
    table = parser.add_argument_group("columns that are not known by their names")
    table.add_argument("--column", action="append", default=[], metavar="VARIABLE=COLUMN", help="may be repeated")
    table.add_argument("--unit", action="append", default=[], metavar="VARIABLE=UNIT", help="may be repeated")
    model = parser.add_argument_group("model")
    model.add_argument("--model", help="name of a released model; or, of a run with several, of one: by default that of the maps")
    model.add_argument("--fold", default="all", help="all (default), or the fold that holds towers out")
    model.add_argument("--calibration", metavar="FILE", help="calibration.json, if the model lies in no run")
    model.add_argument("--no-intervals", action="store_true", help="fluxes alone, without a calibration")
    model.add_argument("--measurement", action="store_true", help="intervals of what a tower would measure, with its noise")
    model.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--output", metavar="FILE", help=".csv or .nc; by default CSV to the terminal")
    parser.add_argument("--json", action="store_true", help="JSON to the terminal")


def predict_places(options: argparse.Namespace) -> int:
    """Predict and write."""
    columns, units = (_pairs(words, name) for words, name in ((options.column, "--column"), (options.unit, "--unit")))
    check_output(options.output)
    from tamrl.api.from_table import Place
    from tamrl.api.prediction import load_model
    from tamrl.api.released import DEFAULT
    from tamrl.api.tables import read_drivers

    source = options.source or options.model or DEFAULT
    model = load_model(
        source,
        model=options.model if options.source else None,
        fold=options.fold,
        calibration=options.calibration,
        intervals=not options.no_intervals,
        device=options.device,
    )
    place: Place | None = Place(options.lat, options.lon, options.igbp, options.koppen, options.elevation)
    of_table = Path(options.drivers).suffix in (".csv", ".parquet")
    place = place if of_table or place != Place() else None
    drivers = read_drivers(options.drivers, step=model.step, columns=columns, units=units, place=place)
    ds = model.predict(drivers, interval_of="measurement" if options.measurement else "flux")
    deliver_series(ds, output=options.output, as_json=options.json)
    return 0


def _pairs(words: list[str], option: str) -> dict[str, str]:
    """Names and values of options such as `--unit air_temperature=K`."""
    pairs = [word.partition("=")[::2] for word in words]
    if wrong := [word for word, (name, value) in zip(words, pairs, strict=True) if not (name and value)]:
        raise InputError(f"{option} takes VARIABLE=VALUE", found=wrong[0], todo=f"write {option} air_temperature=...")
    return dict(pairs)
