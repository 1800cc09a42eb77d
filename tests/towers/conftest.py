"""Small tower files in the networks' own formats, written by hand so that every number is known."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BIF_ROWS = {
    "DE-Aaa": [
        ("1", "GRP_LOCATION", "LOCATION_LAT", "51.0"),
        ("1", "GRP_LOCATION", "LOCATION_LONG", "10.5"),
        ("1", "GRP_LOCATION", "LOCATION_ELEV", "430"),
        ("2", "GRP_IGBP", "IGBP", "DBF"),
        ("3", "GRP_UTC_OFFSET", "UTC_OFFSET", "1"),
        ("4", "GRP_CLIM_AVG", "CLIMATE_KOEPPEN", "Cfb"),
    ],
    "NA-Bbb": [
        ("5", "GRP_LOCATION", "LOCATION_LAT", "-22.5"),
        ("5", "GRP_LOCATION", "LOCATION_LONG", "17.0"),
        ("6", "GRP_IGBP", "IGBP", "CRO"),
        ("7", "GRP_DM_WATER", "DM_WATER", "Irrigation"),
    ],
}


def onflux_rows(days: int = 400, step: str = "day") -> pd.DataFrame:
    """A plausible record with ONEFlux columns: seasonal, with negative GPP in winter and one fill value in each column."""
    dates = pd.date_range("2010-01-01", periods=days, freq="D" if step == "day" else "MS")
    season = -np.cos(2 * np.pi * dates.day_of_year.to_numpy() / 365)
    wiggle = np.sin(np.arange(days) * 1.7)
    gpp, reco = 4 + 4.2 * season + 0.3 * wiggle, 3 + 2 * season
    frame = pd.DataFrame(
        {
            "TIMESTAMP": dates.strftime("%Y%m%d" if step == "day" else "%Y%m").astype(int),
            "TA_F": 10 + 12 * season + wiggle,
            "TA_F_QC": 1.0,
            "SW_IN_F": 160 + 120 * season + 5 * wiggle,
            "VPD_F": 6 + 5 * season,
            "P_F": 2.0 + wiggle,
            "NEE_VUT_REF": reco - gpp + 0.05,
            "NEE_VUT_REF_QC": 0.9,
            "GPP_NT_VUT_REF": gpp,
            "RECO_NT_VUT_REF": reco,
            "GPP_DT_VUT_REF": np.maximum(gpp, 0),
            "RECO_DT_VUT_REF": reco + 0.1,
        }
    ).round(5)
    frame.loc[7, ["TA_F", "GPP_NT_VUT_REF"]] = -9999
    return frame


def fine_rows(days: int = 120, minutes: int = 30, shift: float = 0.0, start: str = "2012-01-01") -> pd.DataFrame:
    """Half hours (or hours) with ONEFlux columns and units: a clear sun at 51 N, flags 0 to 3, fluxes in µmol m-2 s-1."""
    stamps = pd.date_range(start, periods=days * 24 * 60 // minutes, freq=f"{minutes}min")
    hour = (stamps - stamps.normalize()).total_seconds().to_numpy() / 3600 + minutes / 120
    season = -np.cos(2 * np.pi * stamps.day_of_year.to_numpy() / 365)
    sun = np.clip(0.3 + 0.3 * season + 0.8 * np.cos(2 * np.pi * (hour - 12) / 24), 0, None)
    seen = np.clip(0.3 + 0.3 * season + 0.8 * np.cos(2 * np.pi * (hour - 12 - shift) / 24), 0, None)
    gpp, reco = 20 * sun, 4 + 2 * season
    frame = pd.DataFrame(
        {
            "TIMESTAMP_START": stamps.strftime("%Y%m%d%H%M").astype("int64"),
            "TIMESTAMP_END": (stamps + pd.Timedelta(minutes=minutes)).strftime("%Y%m%d%H%M").astype("int64"),
            "TA_F": 10 + 12 * season + 4 * np.cos(2 * np.pi * (hour - 15) / 24),
            "SW_IN_POT": 1000 * sun,
            "SW_IN_F": 700 * seen,
            "VPD_F": 6 + 5 * season,
            "P_F": 0.05 * minutes / 30,
            "NEE_VUT_REF": reco - gpp,
            "NEE_VUT_REF_QC": np.arange(len(stamps)) % 4,
            "GPP_NT_VUT_REF": gpp,
            "RECO_NT_VUT_REF": reco,
            "GPP_DT_VUT_REF": gpp,
            "RECO_DT_VUT_REF": reco + 0.1,
        }
    )
    return frame.round(6)


def bif_bytes(*sites: str, separator: str = ";", columns: tuple[int, ...] = (0, 1, 2, 3, 4)) -> bytes:
    names = ["SITE_ID", "GROUP_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE"]
    lines = [[names[k] for k in columns]]
    lines += [[(site, *row)[k] for k in columns] for site in sites for row in BIF_ROWS[site]]
    return "\n".join(separator.join(line) for line in lines).encode("latin-1")


def zipped(path: Path, members: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


class Sample:
    """Writes a sample of each network below a folder and says which options read it."""

    def __init__(self, folder: Path):
        self.folder = folder

    rows = staticmethod(onflux_rows)
    fine = staticmethod(fine_rows)
    bif = staticmethod(bif_bytes)
    zip = staticmethod(zipped)

    def fluxnet2015(self, step: str) -> dict:
        code = {"day": "DD", "month": "MM"}[step]
        for site, shuffle in (("DE-Aaa", False), ("NA-Bbb", True)):
            rows = onflux_rows(step=step, days=400 if step == "day" else 36)
            rows = rows[sorted(rows.columns)] if shuffle else rows
            name = f"FLX_{site}_FLUXNET2015_SUBSET"
            member = f"{name}_{code}_2010-2011_1-4.csv"
            zipped(self.folder / f"{name}_2010-2011_1-4.zip", {member: rows.to_csv(index=False)})
        (self.folder / "FLX_AA-Flx_BIF_LATEST.csv").write_bytes(bif_bytes("DE-Aaa", "NA-Bbb"))
        return {"path": str(self.folder)}

    def fluxnet(self, step: str) -> dict:
        code = {"day": "DD", "month": "MM"}[step]
        for hub, site in (("AMF", "DE-Aaa"), ("TERN", "NA-Bbb")):
            rows = onflux_rows(step=step, days=400 if step == "day" else 36)
            name, years = f"{hub}_{site}_FLUXNET", "2010-2011_v1.3_r1"
            members = {
                f"{name}_FLUXMET_{code}_{years}.csv": rows.to_csv(index=False),
                f"{name}_ERA5_{code}_{years}.csv": "TIMESTAMP,TA_ERA\n20100101,1.0\n",
                f"{name}_BIF_{years}.csv": bif_bytes(site, separator=",", columns=(0, 3, 4, 1, 2)),
                f"{name}_BIFVARINFO_{code}_{years}.csv": "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE\n",
            }
            zipped(self.folder / f"{name}_{years}.zip", members)
        return {"path": str(self.folder)}

    def japanflux(self, step: str) -> dict:
        code = {"day": "DD", "month": "MM"}[step]
        for site in ("DE-Aaa", "NA-Bbb"):
            rows = onflux_rows(step=step, days=400 if step == "day" else 36).assign(NEE_VUT_REF_QC=0.2)
            name = f"FLX_{site}_JapanFLUX2024_COREVARS"
            own = rows.rename(columns=lambda c: c.replace("VUT_REF", "vUT"))
            zipped(self.folder / f"{name}_2010-2011_1-3.zip", {f"{name}_{code}_2010-2011_1-3.csv": own.to_csv(index=False)})
        (self.folder / "FLX_AA-Flx_BIF_X.csv").write_bytes(bif_bytes("DE-Aaa", "NA-Bbb"))
        return {"path": str(self.folder)}

    def metaflux(self, step: str) -> dict:
        for site, lat, lon in (("DE-Aaa", 51.0, 10.5), ("NA-Bbb", -22.5, 17.0)):
            rows = onflux_rows(step="month", days=36).drop(columns=["RECO_NT_VUT_REF", "RECO_DT_VUT_REF"])
            rows["RECO"] = rows["NEE_VUT_REF"] + rows["GPP_NT_VUT_REF"].where(rows["GPP_NT_VUT_REF"] > -9999)
            rows = rows.assign(Site=site, Lat=lat, Lon=lon, PFT="DBF", Climate="Arctic", TA_ERA=10.0, EVI=0.3, P_ERA=2.0)
            (self.folder / "base").mkdir(exist_ok=True)
            rows.to_csv(self.folder / "base" / f"{site}_MM.csv")
        return {"path": str(self.folder), "bif": None}

    def table(self, step: str) -> dict:
        tables = []
        for site, lat, lon in (("DE-Aaa", 51.0, 10.5), ("NA-Bbb", -22.5, 17.0)):
            rows = onflux_rows(step=step, days=400 if step == "day" else 36)
            dates = pd.to_datetime(rows["TIMESTAMP"].astype(str), format="%Y%m%d" if step == "day" else "%Y%m")
            place = {"site": site, "lat": lat, "lon": lon, "igbp": "DBF", "climate5": "Temperate"}
            tables.append(rows.assign(date=dates, **place, mm_P_ERA=2.0, mm_EVI=0.4, mm_LAI=2.0))
        pd.concat(tables).to_parquet(self.folder / "towers.parquet", index=False)
        return {"path": str(self.folder / "towers.parquet")}


@pytest.fixture
def sample(tmp_path) -> Sample:
    folder = tmp_path / "raw"
    folder.mkdir()
    return Sample(folder)
