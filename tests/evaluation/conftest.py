"""A small synthetic run: maps, members, truth, tower predictions and tables as the other stages write them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from global_land_mask import globe
from scipy.ndimage import gaussian_filter

from tamrl import contracts
from tamrl.classes import KOPPEN, LATITUDE_BANDS
from tamrl.evaluation.ceiling_stage import measure_ceilings
from tamrl.evaluation.stage import evaluate_models
from tamrl.grid import Grid
from tamrl.layout import File, RunLayout

TARGETS = [
    {"rival": "lightgbm", "gpp": 5.0, "reco": 99.0, "nee": None, "tail": True},
    {"rival": "ctlstm", "gpp": 10.0, "reco": None, "nee": None, "tail": False},
    {"rival": "best", "measure": "way", "gpp": 1.0, "nee": 99.0},
    {"rival": "ctlstm", "measure": "way", "nee": 10.0},
]
"""Two that are missed, for two reasons, and a rival that is not there; the same for the share of the way."""


def climate(lat, lon, day, trait):
    """GPP and RECO (gC m-2 d-1) of places on a day of the year; arrays broadcast."""
    season = np.sin(np.deg2rad(lat)) * -np.cos(2 * np.pi * (day - 15) / 365)
    warmth = np.clip(np.cos(np.deg2rad(lat)) ** 1.3 + 0.75 * season - 0.12, 0, None)
    wet = 1 / (1 + np.exp(-(np.abs(np.abs(lat) - 24) - 9 + 6 * np.sin(np.deg2rad(2 * lon))) / 3))
    gpp = 9.0 * warmth * wet * np.exp(0.25 * trait)
    return gpp, 0.72 * gpp + 0.5 * warmth + 0.25 * (1 + trait) * np.clip(warmth, 0, 1)


@dataclass
class Run:
    """Where the files of a synthetic run lie, and how it was made."""

    folder: Path
    resolution: float = 10.0
    step: str = "day"
    labels: tuple[str, ...] = ("2012",)
    members: int = 3
    towers: int = 24
    drivers: tuple[str, ...] = ("grid",)
    models: tuple[str, ...] = ("tamrl", "lightgbm")
    reference: bool = True
    choices: tuple[str, ...] = ()
    units: str = "g m-2 d-1"
    fast: bool = True
    virtual: bool = False
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    def path(self, name: str) -> str:
        """A file of the run."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return str(file)

    def times(self, label: str) -> pd.DatetimeIndex:
        """Time axis of a label."""
        year = "2001" if label == "climatology" else label
        freq = "MS" if self.step == "month" else ("5D" if self.fast else "D")
        return pd.date_range(f"{year}-01-01", f"{year}-12-31", freq=freq)

    def write_maps(self):
        """Maps, members, truth and applicability."""
        grid = Grid(self.resolution)
        lat, lon = np.meshgrid(grid.lat, grid.lon, indexing="ij")
        near = [
            globe.is_land(np.clip(lat + a, -89.9, 89.9), np.clip(lon + b, -179.9, 179.9))
            for a in self._offsets
            for b in self._offsets
        ]
        land = np.where(lat > -60, np.mean(near, 0), 0.0)
        sea = land < 0.02
        blur = 6 / self.resolution
        traits = [
            gaussian_filter(self.rng.normal(size=grid.shape), blur, mode=("nearest", "wrap")) for _ in range(self.members + 2)
        ]
        traits = [t / t.std() for t in traits]
        static = {"land_fraction": (("lat", "lon"), land.astype("f4")), "cell_area": (("lat", "lon"), grid.area() + 0 * lat)}
        for label in self.labels:
            time = self.times(label)
            day = time.day_of_year.to_numpy()[:, None, None]
            weather = 0.25 * self.rng.normal(size=(len(time), *grid.shape))
            true = climate(lat, lon, day, traits[0] + weather)
            parts = [climate(lat, lon, day, 0.6 * traits[0] + 0.6 * traits[1] + 0.35 * t + 0.8 * weather) for t in traits[2:]]
            both = {
                "gpp": (true[0], [p[0] for p in parts]),
                "reco": (true[1], [p[1] for p in parts]),
                "nee": (true[1] - true[0], [p[1] - p[0] for p in parts]),
            }
            for flux, (truth, members) in both.items():
                self._write_flux(flux, label, time, grid, sea, truth, np.stack(members, 1), static)
        index = np.where(sea, np.nan, np.exp(0.6 * traits[0] + 0.02 * (np.abs(lat - 45) - 30)) * 0.4).astype("f4")
        flag = np.where(sea, np.nan, index < 0.6)
        ds = xr.Dataset(
            {"dissimilarity": (("lat", "lon"), index), "applicability": (("lat", "lon"), flag)},
            {"lat": grid.lat, "lon": grid.lon},
        )
        ds["dissimilarity"].attrs["threshold"] = 0.6
        ds.to_netcdf(self.path("maps/applicability.nc"), encoding={"applicability": {"dtype": "i1", "_FillValue": -1}})

    @property
    def _offsets(self):
        return [-self.resolution / 3, 0, self.resolution / 3]

    def _write_flux(self, flux, label, time, grid, sea, truth, members, static):
        factor = 1.0 if self.units == "g m-2 d-1" else 1 / 86400e3
        coords = {"time": time, "lat": grid.lat, "lon": grid.lon}
        mean = members.mean(1)
        std = 0.35 + 0.22 * np.abs(mean)
        fields = {flux: mean, f"{flux}_std": std, f"{flux}_q05": mean - 1.6 * std, f"{flux}_q95": mean + 1.7 * std}
        three = ("time", "lat", "lon")
        ds = xr.Dataset(
            {k: (three, np.where(sea, np.nan, v * factor).astype("f4"), {"units": self.units}) for k, v in fields.items()}
            | static,
            coords,
        )
        ds.attrs = {"code_digest": "0123456789abcdef", "license": "CC-BY-4.0", "run": "test"}
        chunk = min(len(time), max(1, 2**20 // (4 * sea.size)))
        light = {"zlib": True, "complevel": 1, "chunksizes": (chunk, *sea.shape)}
        ds.to_netcdf(self.path(f"maps/{flux}_{label}.nc"), encoding=dict.fromkeys(fields, light))
        if self.members > 1:
            four = ("time", "member", "lat", "lon")
            values = np.where(sea, np.nan, members * factor).astype("f4")
            xr.Dataset({flux: (four, values, {"units": self.units})}, coords).to_netcdf(
                self.path(f"maps/members/{flux}_{label}.nc"), encoding={flux: light | {"chunksizes": (chunk, 1, *sea.shape)}}
            )
        if self.reference:
            values = np.where(sea, np.nan, truth).astype("f4")
            xr.Dataset({flux: (three, values, {"units": "gC m-2 d-1"})}, coords).to_netcdf(
                self.path(f"inputs/truth/{flux}_{label}.nc"), encoding={flux: light}
            )

    def write_towers(self):
        """Towers, quality, and predictions of the members of every model."""
        n, rng = self.towers, self.rng
        lat = np.where(rng.random(n) < 0.8, rng.uniform(32, 66, n), rng.uniform(-38, 25, n))
        lon = np.where(rng.random(n) < 0.5, rng.uniform(-120, -75, n), rng.uniform(0, 35, n))
        zone = np.select([np.abs(lat) < 23, np.abs(lat) < 30, np.abs(lat) < 47, np.abs(lat) < 63], KOPPEN[:4], KOPPEN[4])
        kinds = np.array(["ENF", "DBF", "GRA", "CRO", "WET", "OSH", "SAV"])[rng.integers(0, 7, n)]
        igbp = np.where((np.abs(lat) < 15), "EBF", kinds)
        sites = pd.DataFrame(
            {
                "site": [f"{'NA' if k == 0 else 'XV'}-{chr(65 + k // 26)}{chr(97 + k % 26)}a" for k in range(n)],
                "network": "fluxnet2015",
                "lat": lat,
                "lon": lon,
                "igbp": igbp,
                "koppen": zone,
                "elevation": 100.0,
                "utc_offset": 0.0,
                "managed": np.nan,
            }
        )
        sites.to_csv(self.path("towers/towers.csv"), index=False)
        group = np.arange(n) - (np.arange(n) == 3) * 3  # the fourth tower is a neighbour of the first
        splits = pd.DataFrame({"site": sites["site"], "group": group, "fold": [str(k % 3) for k in range(n)]})
        splits.to_csv(self.path("samples/splits.csv"), index=False)
        unlike = pd.DataFrame({"site": sites["site"], "fold": "0", "dissimilarity": np.linspace(0.1, 0.9, n)})
        unlike.to_csv(self.path("evaluation/dissimilarity.csv"), index=False)
        table = pd.DataFrame(
            {"site": sites["site"], "test": "nee_qc", "dropped": rng.integers(0, 300, n), "kept": 700, "note": np.nan}
        )
        last = pd.DataFrame(
            {"site": ["XX-Irr"], "test": ["managed"], "dropped": [412], "kept": [0], "note": ["irrigated orchard"]}
        )
        pd.concat([table, table.assign(test="spikes", dropped=table["dropped"] // 9), last]).to_csv(
            self.path("towers/quality.csv"), index=False
        )
        for model in self.models:
            for drivers in self.drivers:
                self._members(sites, model, drivers).to_parquet(self.path(f"evaluation/members/{model}-{drivers}.parquet"))

    def _members(self, sites, model, drivers):
        skilful = {"tamrl": 0.75, "lightgbm": 0.45}.get(model, 0.3) + (0.15 if drivers == "tower" else 0)
        freq = "MS" if self.step == "month" else "D"
        frames = []
        for k, site in sites.iterrows():
            # The towers are the same whichever model predicts them.
            world = np.random.default_rng(100 + k)
            date = pd.date_range("2010-01-01", "2012-12-31", freq=freq)
            trait, weather = world.normal(), 0.3 * world.normal(size=len(date))
            gpp, reco = climate(site["lat"], site["lon"], date.day_of_year.to_numpy(), trait + weather)
            noise = world.laplace(scale=0.15, size=(2, len(date))) * (1 + 0.5 * gpp)
            qc = np.where(world.random(len(date)) < 0.3, 0.4, 0.95)
            own = np.random.default_rng([k, len(model), len(drivers)])
            for member in range(2):
                error = own.normal(scale=0.5) + 0.15 * own.normal(size=len(date))
                p, r = climate(site["lat"], site["lon"], date.day_of_year.to_numpy(), skilful * trait + error + skilful * weather)
                for flux, seen, said in (
                    ("gpp", gpp + noise[0], p),
                    ("reco", reco + noise[1], r),
                    ("nee", reco - gpp + noise[1] - noise[0], r - p),
                ):
                    frames.append(
                        pd.DataFrame(
                            {
                                "site": site["site"],
                                "date": date,
                                "flux": flux,
                                "observed": seen,
                                "qc": qc,
                                "predicted": said,
                                "member": member,
                                "fold": str(k % 3),
                            }
                        )
                    )
        return pd.concat(frames, ignore_index=True).assign(model=model, drivers=drivers)

    def write_budgets(self):
        """`budgets.csv` of the run and of its choices."""
        for where, shift in [("budgets.csv", 1.0)] + [
            (f"choices/{c}/budgets.csv", 1 + 0.08 * (k + 1) * (-1) ** k) for k, c in enumerate(self.choices)
        ]:
            rows = []
            for region, share in {
                "globe": 1.0,
                "90S-60S": 0.0,
                "60S-23S": 0.08,
                "23S-0": 0.27,
                "0-23N": 0.26,
                "23N-50N": 0.22,
                "50N-90N": 0.17,
            }.items():
                for flux, total in (("gpp", 118.0), ("reco", 104.0), ("nee", -14.0)):
                    for label in self.labels:
                        mean = total * share * shift
                        rows.append(
                            [
                                flux,
                                label,
                                region,
                                1.3e14 * share,
                                mean,
                                *(abs(mean) * 0.05, mean - abs(mean) * 0.08, mean + abs(mean) * 0.08),
                                *(abs(mean) * part for part in (0.03, 0.032, 0.02, 0.014)),
                                mean - abs(mean) * 0.06,
                                mean + abs(mean) * 0.05,
                            ]
                        )
            pd.DataFrame(rows, columns=list(contracts.BUDGETS.columns)).to_csv(self.path(where), index=False)
        Path(self.path("benchmarks/build_cube.tsv")).write_text("s\th:m:s\tmax_rss\n12.5\t0:00:12\t812.3\n")
        Path(self.path("benchmarks/train_model/tamrl-0-0.tsv")).write_text("s\th:m:s\tmax_rss\n0.4\t0:00:00\t-\n")

    def evaluate(self):
        """Run the stage of the scores on the written members."""
        evaluate_models(
            members=[self.path(f"evaluation/members/{m}-{d}.parquet") for m in self.models for d in self.drivers],
            towers=self.path("towers/towers.csv"),
            splits=self.path("samples/splits.csv"),
            predictions=self.path("evaluation/predictions.parquet"),
            metrics=self.path("evaluation/site_metrics.csv"),
            calibration=self.path("evaluation/calibration.json"),
            scores=self.path("evaluation/scores.csv"),
            comparisons=self.path("evaluation/comparisons.csv"),
            reliability=self.path("evaluation/reliability.csv"),
            protocol=self.protocol,
            dissimilarity=self.path("evaluation/dissimilarity.csv"),
        )

        measure_ceilings(
            predictions=self.path("evaluation/predictions.parquet"),
            towers=self.path("towers/towers.csv"),
            splits=self.path("samples/splits.csv"),
            ceilings=self.path("evaluation/ceilings.csv"),
            shares=self.path("evaluation/shares.csv"),
            protocol=self.protocol,
            drivers="grid",
        )

    @property
    def protocol(self):
        """How the models are scored."""
        return {
            "scheme": "kfold",
            "qc": 0.8,
            "map_model": "tamrl",
            "step": self.step,
            "targets": TARGETS,
            "rivals": [name for name in self.models if name != "tamrl"],
            "gridded": True,
            "virtual": self.virtual,
        }

    @property
    def description(self):
        """What report and summary say of the run."""
        return {
            "run": "test",
            "title": "A <virtual> Earth",
            "step": self.step,
            "labels": list(self.labels),
            "map_model": "tamrl",
            "qc": 0.8,
            "reference": "truth" if self.reference else None,
            "networks": ["fluxnet2015"],
            "choices": list(self.choices),
            "virtual": self.virtual,
            "config_digest": "feedc0de",
        }

    def files(self, *, maps=True):
        """Files of the run that report and summary read, where they exist."""
        layout = RunLayout.at(str(self.folder))
        held_out = [File.TOWER_PREDICTIONS, File.SITE_METRICS, File.CALIBRATION, File.SCORES, File.COMPARISONS, File.RELIABILITY]
        held_out += [File.DISSIMILARITY, File.SPLITS, File.CEILINGS, File.SHARES, File.TOWERS, File.QUALITY, File.RECORDS]
        paths = [*map(layout, held_out), layout(File.NETWORK_SITES, network="fluxnet2015")]
        if maps:
            fluxes = [(flux, label) for flux in ("gpp", "reco", "nee") for label in self.labels]
            paths += [layout(file, flux=f, label=lb) for file in (File.MAP, File.MEMBERS) for f, lb in fluxes]
            paths += map(layout, (File.APPLICABILITY, File.BUDGETS, File.DRIVER_COMPARISON))
            paths += [layout.choice(name)(File.BUDGETS) for name in self.choices]
        return [path for path in paths if Path(path).exists()]

    def keywords(self, *, maps=True):
        """Arguments of `write_report`."""
        labels, reference = self.labels, self.reference and maps
        truth = [self.path(f"inputs/truth/{f}_{label}.nc") for f in ("gpp", "reco", "nee") for label in labels]
        return {
            "files": self.files(maps=maps),
            "folder": str(self.folder),
            "description": self.description | ({} if reference else {"reference": None}),
            "reference": truth if reference else [],
            "report": self.path("report.html"),
            "figures": str(self.folder / "figures"),
            "code": "c0ffee",
        }

    def build(self, maps=True):
        """All of it, or all but the maps."""
        if maps:
            self.write_maps()
            self.write_budgets()
        self.write_towers()
        self.evaluate()
        return self


assert "50N-90N" in LATITUDE_BANDS


@pytest.fixture(scope="session")
def make_run():
    """Build a run in a folder: `make_run(folder, step="month", ...)`."""
    return lambda folder, *, maps=True, **options: Run(Path(folder), **options).build(maps)


@pytest.fixture(scope="session")
def day_run(make_run, tmp_path_factory):
    """A finished daily run on the virtual Earth with truth, choices and two kinds of inputs."""
    return make_run(tmp_path_factory.mktemp("day"), drivers=("grid", "tower"), choices=("day-time", "managed-kept"), virtual=True)
