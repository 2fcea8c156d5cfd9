"""What `parallel.address` may be: where a dask scheduler or the head of a Ray cluster is."""

import re
from collections.abc import Sequence

from hpo.config.nearest import did_you_mean

DASK_SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")
RAY_SCHEMES = ("ray",)
FORMS = {
    "dask": "HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT, such as tcp://scheduler:8786",
    "ray": "auto, HOST:PORT of the head, or ray://HOST:PORT, such as ray://head:10001",
}
_PLACE = re.compile(r"(?:\[[0-9a-fA-F:.%\w]+\]|[^:\[\]/\s@]+):(?P<port>[0-9]{1,5})")


def address_fault(backend: str, address: str) -> str:
    """What is wrong with the address of a cluster, and how it is written; empty where nothing is."""
    if backend == "ray" and address == "auto":
        return ""
    if backend == "ray" and address == "local":
        return "leave the key out: a cluster is then made on this machine"
    scheme, is_url, place = address.rpartition("://")
    schemes: Sequence[str] = DASK_SCHEMES if backend == "dask" else RAY_SCHEMES
    form = FORMS[backend]
    if is_url and scheme not in schemes:
        return f"'{address}' is not where a {backend} cluster is{did_you_mean(scheme, schemes)}; it is {form}"
    found = _PLACE.fullmatch(place)
    if found is None:
        return f"'{address}' does not say host and port; it is {form}"
    if not 0 < int(found["port"]) <= 65_535:
        return f"'{address}': ports are 1 to 65535; it is {form}"
    return ""
