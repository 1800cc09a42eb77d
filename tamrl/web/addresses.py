"""Web addresses: hiding credentials in them, the network of their server, and which of them may receive a credential."""

import ipaddress
import os
import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

LOCAL = "TAMRL_LOCAL_SERVERS"
SHOWN = ("short_name", "version", "page_size", "page_num", "sort_key", "temporal", "ids")
"""Query keys whose values are not secret: those of the searches of this project, and lists of objects."""

METADATA = ("100.100.100.200", "fd00:ec2::254")
"""Addresses at which cloud providers serve the credentials of a machine, besides the link-local ones."""

_BEGIN = r"(?:\b[a-z][a-z0-9+.-]*:/+|(?<![^\s'\"])//)"
_USER = re.compile(rf"({_BEGIN})(?:[^\s/?#]*@|[^\s@/?#]*:(?!\d+(?:[/?#]|$))[^\s@]*@)", re.I)
_QUERY = re.compile(rf"({_BEGIN}[^\s?#]*|with url: [^\s?#]*)([?#]\S*?)(['\")\]}}>,;:.]*)(?=\s|$)", re.I)
_SECRET = re.compile(r"token|secret|passw|pwd|key|signature|credential|auth", re.I)

Kind = Literal["public", "private", "loopback", "forbidden"]


def redacted(text: str) -> str:
    """Hide credentials in all addresses of a text: `https://***@host/x?token=***`."""
    return _QUERY.sub(lambda m: m[1] + _without_values(m[2]) + m[3], _USER.sub(r"\1***@", text))


def _without_values(query: str) -> str:
    parts = []
    for part in re.split(r"[&;]", query[1:]):
        key, equals, value = part.partition("=")
        parts.append(f"{key}={value if key in SHOWN else '***'}" if equals else "***")
    return query[0] + "&".join(parts)


def holds_login(text: str) -> bool:
    """Whether an address in a text holds a user name, a password, or a query that looks like a token."""
    return holds_name(text) or any(_SECRET.search(m[2]) for m in _QUERY.finditer(text))


def holds_name(text: str) -> bool:
    """Whether an address in a text holds a user name or a password: `https://name:password@host`."""
    return bool(_USER.search(text))


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Return scheme, host and port; addresses of the same origin are served by the same server."""
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)


def is_listed(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether an address may receive a credential that belongs to `hosts`.

    Each of these is `host`, or `.domain` for all hosts below it, over https only. An address with its scheme, as users give it in
    the environment, stands for its origin, which must use https or be this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    for entry in hosts:
        if "://" in entry:
            is_safe = parts.scheme == "https" or host == "localhost" or network_of(host) == "loopback"
            fits = is_safe and origin(urlsplit(entry)) == origin(parts)
        else:
            fits = parts.scheme == "https" and (host == entry or (entry.startswith(".") and host.endswith(entry)))
        if fits:
            return True
    return False


def network_of(address: str) -> Kind | None:
    """Return the kind of network of an IP address, or None if the text is not an IP address.

    `forbidden` are link-local and multicast addresses and those of `METADATA`: no data are served there.
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
    """Whether the user listed this server (`host` or `host:port`) in `TAMRL_LOCAL_SERVERS`."""
    parts = urlsplit(url)
    named = os.environ.get(LOCAL, "").replace(",", " ").split()
    return parts.hostname in named or f"{parts.hostname}:{origin(parts)[2]}" in named
