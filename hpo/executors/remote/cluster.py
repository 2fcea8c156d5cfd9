"""What a sweep says of the cluster that its trials run on."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpo.errors import ConfigError
from hpo.executors.devices import Share

_LISTEN = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]/\s]+))(?::(?P<port>\d{1,5}))?")


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is, and how its hosts reach the driver; all may be left out.

    `address` as the cluster's own library has it; None for a cluster made here and closed in the end. `listen` is
    HOST or HOST:PORT of this machine. `register` is module:function, called first (joblib). `patience` is for how many
    seconds a cluster that went away is waited for. `artifacts` is a local folder that every host has to see, None
    where none need. `is_over` says that somebody wants an end, while the first host is waited for.
    """

    address: str | None = None
    listen: str | None = None
    register: str | None = None
    patience: float = 300.0
    artifacts: Path | None = None
    share: Share = Share()  # noqa: RUF009  # frozen
    is_over: Callable[[], bool] = _never


def listen_at(text: str) -> tuple[str, int]:
    """Host and port of `parallel.listen`; port 0 where any free one will do. ConfigError for something else."""
    found = _LISTEN.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    if found is None or port > 65_535:
        raise ConfigError(f"parallel.listen must be HOST or HOST:PORT of this machine, got {text!r}")
    return found["v6"] or found["host"], port
