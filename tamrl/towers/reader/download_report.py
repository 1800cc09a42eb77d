"""Downloads reported to AmeriFlux, which counts them for the teams of its towers: only with the user's consent.

The FLUXNET shuttle posts the names of the archives to `log_shuttle_data_request`, with name, e-mail and intended use where its
user gives them (fluxnet/shuttle, plugins/ameriflux.py). Here nothing is sent unless the environment says so; what cannot be sent
stands on the disk and is sent with the next download. A report never stops a run.
"""

import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import requests

from tamrl import files
from tamrl.errors import ConfigError, TamrlError
from tamrl.web.session import Session

_log = logging.getLogger(__name__)

CONSENT, NAME, EMAIL, USE = "TAMRL_REPORT_DOWNLOADS", "TAMRL_USER_NAME", "TAMRL_USER_EMAIL", "TAMRL_INTENDED_USE"
ADDRESS = "TAMRL_AMERIFLUX_URL"
DEFAULT = "https://amfcdn.lbl.gov/api/v2/log_shuttle_data_request"
USES = ("synthesis", "model", "remote_sensing", "other_research", "education", "other")
HUB, PREFIX = "AmeriFlux", "AMF_"
PENDING = "unreported.json"
TRIES, MOST = 3, 100
"""Attempts of a report, and archives in one."""


@dataclass(frozen=True)
class Reporter:
    """Who downloads; the hub may publish what name and e-mail it was told to the teams of the towers."""

    name: str
    email: str
    use: str

    @classmethod
    def of_environment(cls) -> "Reporter | None":
        """The user who agreed to be named; None without consent. Raises `ConfigError` for consent without name or e-mail."""
        consent = os.environ.get(CONSENT, "").strip().lower()
        if consent in ("", "no"):
            return None
        values = {variable: os.environ.get(variable, "").strip() for variable in (NAME, EMAIL)}
        use = os.environ.get(USE, "model").strip().lower()
        wrong = [f"{variable} is empty" for variable, value in values.items() if not value]
        wrong += [] if consent == "yes" else [f"{CONSENT}={consent!r:.40}, yes or no"]
        wrong += [] if use in USES else [f"{USE}={use!r:.40}, one of {', '.join(USES)}"]
        if wrong:
            todo = f"set {NAME}, {EMAIL} and {USE}, or leave {CONSENT} out: then nothing is reported"
            raise ConfigError(
                "downloads are to be reported, but not by whom", where="environment", found="; ".join(wrong), todo=todo
            )
        return cls(values[NAME], values[EMAIL], use)

    def send(self, archives: list[str]) -> bool:
        """Report archives; False if the hub does not take the report."""
        url = os.environ.get(ADDRESS, DEFAULT)
        report = {"user_id": "fluxnetshuttle", "zip_filenames": archives, "user_name": self.name, "user_email": self.email}
        report |= {"intended_use": self.use, "description": "tamrl"}
        try:
            answer = Session(near=(url,)).post(url, json=report, timeout=(20.0, 30.0))
            answer.raise_for_status()
        except (requests.RequestException, TamrlError) as error:
            _log.warning("%d downloads could not be reported to %s: %s", len(archives), HUB, error)
            return False
        _log.info("%d downloads are reported to %s, as of %s", len(archives), HUB, self.name)
        return True


def report_downloads(reporter: Reporter | None, arrived: pd.DataFrame, store: Path, *, wait: float = 1.0) -> None:
    """Report the archives of AmeriFlux that have arrived, and those that an earlier call could not report.

    Without a reporter nothing is sent, and the log says how downloads are reported.

    Parameters
    ----------
    reporter : who agreed to be named
    arrived : rows of the snapshot whose archives were fetched now
    store : folder that keeps the names of archives that could not be reported
    wait : seconds before the second attempt; four times as long before the third
    """
    hub = arrived["data_hub"] == HUB if "data_hub" in arrived else arrived["fluxnet_product_name"].str.startswith(PREFIX)
    names = arrived.loc[hub, "fluxnet_product_name"].tolist()
    if reporter is None:
        if names:
            message = "%s counts downloads for the teams of its towers; %d were not reported (%s=yes with %s and %s does)"
            _log.info(message, HUB, len(names), CONSENT, NAME, EMAIL)
        return
    pending = store / PENDING
    names = sorted({*names, *(json.loads(pending.read_text(encoding="utf-8")) if pending.is_file() else [])})
    for attempt in range(TRIES):
        time.sleep(wait * 4**attempt / 4 if attempt and names else 0)
        while names and reporter.send(names[:MOST]):
            names = names[MOST:]
    if names:
        files.replace_text(pending, json.dumps(names))
    else:
        pending.unlink(missing_ok=True)
