"""Addresses on the web: what may be shown of them, which machine they name, and which of them may see a login."""

import ipaddress
import os
import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

LOCAL = "TAMRL_LOCAL_SERVERS"
SHOWN = ("short_name", "version", "page_size", "page_num", "sort_key", "temporal", "ids")
"""Keys of queries whose values are no secrets: those of searches that this project makes, and lists of objects."""

METADATA = ("100.100.100.200", "fd00:ec2::254")
"""Where clouds hand out the keys of a machine, beside the link-local addresses."""

_BEGIN = r"(?:\b[a-z][a-z0-9+.-]*:/+|(?<![^\s'\"])//)"
_USER = re.compile(rf"({_BEGIN})(?:[^\s/?#]*@|[^\s@/?#]*:(?!\d+(?:[/?#]|$))[^\s@]*@)", re.I)
_QUERY = re.compile(rf"({_BEGIN}[^\s?#]*|with url: [^\s?#]*)([?#]\S*?)(['\")\]}}>,;:.]*)(?=\s|$)", re.I)
_SECRET = re.compile(r"token|secret|passw|pwd|key|signature|credential|auth", re.I)

Kind = Literal["public", "private", "loopback", "forbidden"]


def redacted(text: str) -> str:
    """A text in which no address shows a login: `https://***@host/x?token=***`."""
    return _QUERY.sub(lambda m: m[1] + _without_values(m[2]) + m[3], _USER.sub(r"\1***@", text))


def _without_values(query: str) -> str:
    parts = []
    for part in re.split(r"[&;]", query[1:]):
        key, equals, value = part.partition("=")
        parts.append(f"{key}={value if key in SHOWN else '***'}" if equals else "***")
    return query[0] + "&".join(parts)


def holds_login(text: str) -> bool:
    """Whether an address in a text holds a name with a password, or a query that looks like a token."""
    return holds_name(text) or any(_SECRET.search(m[2]) for m in _QUERY.finditer(text))


def holds_name(text: str) -> bool:
    """Whether an address in a text holds a name or password: `https://name:password@host`."""
    return bool(_USER.search(text))


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port: two addresses of one origin are answered by one server."""
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)


def is_listed(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether an address may see a login that is for `hosts`.

    Parameters
    ----------
    hosts : tuple of str
        `host`, or `.domain` for all below it: over https alone. An address with its scheme, as a user gives it in the
        environment, stands for its origin, which is https or this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    for entry in hosts:
        if "://" in entry:
            fits = origin(urlsplit(entry)) == origin(parts) and (parts.scheme == "https" or is_this_machine(host))
        else:
            fits = parts.scheme == "https" and (host == entry or (entry.startswith(".") and host.endswith(entry)))
        if fits:
            return True
    return False


def is_this_machine(host: str) -> bool:
    """Whether a host's name itself says that it is this machine."""
    return host == "localhost" or kind(host) == "loopback"


def kind(address: str) -> Kind | None:
    """Which network an IP address belongs to; None for what is none, such as a name.

    `forbidden` are link-local and multicast addresses and those where clouds hand out keys: no data lie there.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback or ip.is_unspecified:
        return "loopback"
    if ip.is_link_local or ip.is_multicast or str(ip) in METADATA:
        return "forbidden"
    return "public" if ip.is_global else "private"


def is_local_server(url: str) -> bool:
    """Whether the user has named this server (`host` or `host:port`) in the environment as one of the own network."""
    parts = urlsplit(url)
    named = os.environ.get(LOCAL, "").replace(",", " ").split()
    return parts.hostname in named or f"{parts.hostname}:{origin(parts)[2]}" in named
