"""`tamrl extract`: series of the maps at places."""

import argparse

from tamrl import escaping, files
from tamrl.carbon import FLUXES
from tamrl.command.output import as_text, check_output, deliver_series
from tamrl.command.parsers import add_command
from tamrl.errors import InputError

DESCRIPTION = """Series of the maps of a run at points, and totals of polygons, with standard deviation and 90 % interval.

The file of places is a CSV with lat, lon and perhaps site, or GeoJSON or a shapefile (.shp, .zip) with points and polygons.
Each point takes the cell in which it lies. --totals writes the PgC of each polygon and mapped year, with the error of the sum
itself; --countries gives those of countries, by English name or ISO code.

examples:
  tamrl extract results/real --places places.csv --period climatology
  tamrl extract results/quarter --places places.geojson --flux gpp --year 2012 --output gpp.csv
  tamrl extract results/quarter --places basins.shp --totals totals.csv
  tamrl extract results/quarter --countries Germany FRA --totals totals.csv"""


def add_extract(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = add_command(commands, "extract", extract_series, description=DESCRIPTION, summary="series of the maps at places")
    parser.add_argument("run", metavar="RUN", help="folder of a run, such as results/real")
    parser.add_argument("--places", metavar="FILE", help="CSV, GeoJSON or shapefile")
    parser.add_argument("--countries", nargs="+", default=[], metavar="NAME", help="countries whose totals to write")
    parser.add_argument("--flux", nargs="+", choices=FLUXES, default=list(FLUXES), help="by default all three")
    parser.add_argument("--period", default="daily", help="daily (default), 8day, monthly, annual, seasonal or climatology")
    parser.add_argument("--year", nargs="+", type=int, help="by default all years of the maps")
    parser.add_argument("--output", metavar="FILE", help=".csv or .nc; by default CSV to the terminal")
    parser.add_argument("--totals", metavar="FILE", help="CSV of the totals of the polygons")
    parser.add_argument("--json", action="store_true", help="JSON to the terminal")


def extract_series(options: argparse.Namespace) -> int:
    """Extract and write."""
    check_output(options.output)
    if options.totals is not None and not options.totals.endswith(".csv"):
        raise InputError("totals are written as CSV", where=options.totals, todo="let the name end in .csv")
    if not (options.places or options.countries):
        raise InputError("no place is named", where="tamrl extract", todo="give --places FILE, or --countries NAME")
    if options.countries and options.totals is None:
        raise InputError("countries have totals alone", where="--countries", todo="add --totals FILE")
    from tamrl.api.extraction import read_places, series_at
    from tamrl.api.run import open_run
    from tamrl.polygons.countries import read_countries

    run, places = open_run(options.run), read_places(options.places) if options.places else None
    polygons = dict(places.polygons) if places else {}
    if options.countries:
        countries = read_countries(options.countries, where="--countries")
        if twice := sorted(countries.keys() & polygons.keys()):
            todo = "give another name to the polygon of the file"
            raise InputError("a polygon has the name of a country", where=options.places, found=twice, todo=todo)
        polygons |= countries
    if options.totals is not None:
        from tamrl.api.totals import polygon_totals

        table = polygon_totals(run, polygons, years=options.year)
        with files.atomic(options.totals, sealed=False) as part:
            escaping.write_csv(table[table["flux"].isin(options.flux)], part)
        summary = {"file": options.totals, "polygons": len(polygons)}
        print(as_text(summary) if options.json else f"{options.totals}: {len(polygons)} polygons")
        if places is None or places.points.empty:
            return 0
    if places is None or places.points.empty:
        todo = "give points, or their rows in a CSV; totals of polygons need --totals FILE"
        raise InputError("the file holds no points", where=options.places, todo=todo)
    ds = series_at(run, places.points, fluxes=options.flux, period=options.period, year=options.year)
    deliver_series(ds, output=options.output, as_json=options.json)
    return 0
