"""Sources of gridded drivers: one file is one source (files that begin with an underscore are shared).

A module here holds what `tamrl.plugins.DriverSource` describes, and declares in `CAPABILITIES` what else it can do: list its
files, download them, give a map of climates. It is light: a dry run imports it, so readers are imported inside its functions.

A source offers a variable of the vocabulary if the variable's entry in `tamrl/data/variables.yaml` names it under `sources`; an
entry `era5` serves the four sources of ERA5.

Every array stands on the source's own grid, `lat` falling and `lon` rising within [-180, 180), with the attribute

``grid``
    `nodes` (values at points, poles included), `boxes` (values at such points that stand for the box of one spacing around
    them, missing where that is sea) or `pixels` (means over boxes between the points).

and, where they apply, with

``nodes``
    `land`: only nodes on land may stand for a land cell (default `all`).
``cadence``
    `step` (default): one value per step of the run on its complete time axis, missing where the files have none;
    `composite`: `time` holds the middle of each composite, all composites of each year present; gaps are filled and steps
    interpolated on the grid of the maps (`tamrl.drivers.composites`).
``extent`` and ``expver``
    `tamrl.drivers.extent.Extent` of the files that were opened, and how often each version occurs in them; from sources that
    list their files (`tamrl.drivers.cube.append`).
coordinate ``weight``
    Quality weight of each value, 0 to 1, same shape; absent means 1.

Dynamic variables are float32 (time, lat, lon) in canonical units, lazy where large. A static variable with classes holds
positions in its class list, -1 where unknown. A source that cannot serve what is asked raises `InputError` or `ConfigError`; it
never returns other steps or years.
"""
