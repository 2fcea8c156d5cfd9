"""Where a sweep is kept: an http(s) address is a server that is sent everything, and the store is a local one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hpo.errors import ConfigError
from hpo.masking import hide_patterns

DEFAULT_STORE = "sqlite:///mlflow.db"
URI_VARIABLES = ("HPO_TRACKER", "MLFLOW_TRACKING_URI")
LONGEST_MIRROR = 500
"""Characters of a mirror's address: what a mark holds."""


@dataclass(frozen=True)
class Places:
    """The URI of the store, which is the truth, and the addresses of servers that are told what is in it."""

    store: str
    mirrors: tuple[str, ...] = ()


def places_of(named: Iterable[str | None], mirrors: Iterable[str] = ()) -> Places:
    """The first store among those named, the most wanted first; a server named before it becomes a mirror.

    ConfigError for a server that cannot be one, see `server_fault`.
    """
    servers: list[str] = []
    store = DEFAULT_STORE
    for uri in named:
        if uri and not is_server(uri):
            store = uri
            break
        if uri:
            servers.append(uri)
    return Places(store, tuple(dict.fromkeys(checked_server(uri) for uri in [*servers, *mirrors])))


def default_places(environment: Mapping[str, str]) -> Places:
    """The store, and the mirror, that the environment names, else MLflow's default file."""
    return places_of(environment.get(name) for name in URI_VARIABLES)


def default_store(environment: Mapping[str, str]) -> str:
    """The store that commands read where nobody names one."""
    named = (environment[name] for name in URI_VARIABLES if environment.get(name))
    return next((uri for uri in named if not is_server(uri)), DEFAULT_STORE)


def is_server(uri: str) -> bool:
    """Whether a URI is the address of a server, and not that of a database."""
    return uri.partition(":")[0].lower() in ("http", "https")


def checked_server(uri: str) -> str:
    """The address as it is noted, without a slash at the end; ConfigError where it cannot be used."""
    if fault := server_fault(uri):
        raise ConfigError(fault)
    return uri.rstrip("/")


def server_fault(uri: str) -> str:
    """Why an address cannot be that of a mirror; empty where it can. Shows no password."""
    shown = hide_patterns(uri)
    try:
        parts = urlsplit(uri)
        host, has_user, _ = parts.hostname, "@" in parts.netloc, parts.port
    except ValueError as error:
        return f"{shown!r} is no address: {error}"
    if has_user:  # whatever looks like a password or not
        return (
            f"user and password must not stand in the address {parts.scheme}://***@{parts.netloc.rpartition('@')[2]}: "
            "give them as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"
        )
    if not is_server(uri) or not host:
        return f"a mirror is the address of an MLflow server, such as http://mlflow:5000; got {shown!r}"
    if parts.query or parts.fragment or not uri.isprintable() or " " in uri:
        return f"the address of an MLflow server has no '?', '#' or blanks; got {shown!r}"
    if len(uri) > LONGEST_MIRROR:
        return f"the address of a mirror may have {LONGEST_MIRROR} characters, got {len(uri)}"
    return ""
