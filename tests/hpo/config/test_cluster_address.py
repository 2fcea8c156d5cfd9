"""`parallel.address` in a sweep file: what is no place of a cluster is known before anybody is asked."""

import pytest

from hpo.config.reading import read_sweep_text
from hpo.errors import ConfigError

TEXT = "name: a\nmetric: {name: loss}\nobjective: {python: 'a:b'}\nparameters: {x: [1, 2]}\n"


def address(backend: str, text: str) -> str | None:
    return read_sweep_text(TEXT, "f", [f"parallel.backend={backend}", f"parallel.address={text}"]).parallel.address


@pytest.mark.parametrize(
    ("backend", "text"),
    [
        ("dask", "tcp://scheduler:8786"), ("dask", "10.0.0.5:8786"), ("dask", "tls://[fe80::1]:8786"),
        ("dask", "wss://head:443"), ("ray", "auto"), ("ray", "head:6379"), ("ray", "ray://head:10001"),
    ],
)  # fmt: skip
def test_addresses_are_as_the_clusters_have_them(backend: str, text: str) -> None:
    assert address(backend, text) == text


@pytest.mark.parametrize(
    ("backend", "text", "message"),
    [
        ("dask", "tpc://head:8786", "'tpc://head:8786' is not where a dask cluster is - did you mean 'tcp'?; it is"),
        ("dask", "inproc://head:1", "is not where a dask cluster is; it is HOST:PORT, tcp://HOST:PORT or tls://"),
        ("dask", "ray://head:10001", "is not where a dask cluster is"),
        ("dask", "head:port", "'head:port' does not say host and port; it is HOST:PORT, tcp://HOST:PORT"),
        ("dask", "tcp://head", "'tcp://head' does not say host and port"),
        ("dask", "tcp://tcp://head:8786", "is not where a dask cluster is"),
        ("dask", "head:0", "'head:0': ports are 1 to 65535"),
        ("dask", "auto", "'auto' does not say host and port"),
        ("dask", "me@head:8786", "'me@head:8786' does not say host and port"),
        ("dask", "tcp://head/a:8786", "'tcp://head/a:8786' does not say host and port"),
        ("dask", "head:65536", "'head:65536': ports are 1 to 65535"),
        ("dask", "head:70000", "'head:70000': ports are 1 to 65535"),
        ("ray", "http://head:8265", "is not where a ray cluster is; it is auto, HOST:PORT of the head, or ray://"),
        ("ray", "head", "'head' does not say host and port"),
        ("ray", "local", "leave the key out: a cluster is then made on this machine"),
    ],
)
def test_what_is_no_address_is_a_mistake_of_the_file(backend: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"parallel\.address: ") as raised:
        address(backend, text)
    assert message in str(raised.value)
