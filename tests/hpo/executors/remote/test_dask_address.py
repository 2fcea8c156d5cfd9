"""What is no address of a dask scheduler is said at once."""

import time

import pytest

from hpo.errors import ConfigError
from hpo.executors.remote.dask_placement import DaskPlacement

pytest.importorskip("distributed")


@pytest.mark.parametrize("address", ["tpc://head:8786", "head", "tcp://head:port", "tcp://tcp://head:8786", ""])
def test_what_is_no_address_of_a_scheduler_is_refused_before_anybody_is_asked(address: str) -> None:
    """dask's own client finds it out late, and waits 20 s for itself when it is taken apart."""
    began = time.monotonic()

    with pytest.raises(ConfigError, match=r"parallel\.address: .* it is HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT"):
        DaskPlacement(address, 1)
    assert time.monotonic() - began < 10
