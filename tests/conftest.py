"""What all tests share."""

import gc
import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

NAMED_BY_THE_ENVIRONMENT = ("HPO_TRACKER", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


# hundreds of processes are started: each of them would compile the project's sources once more
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# a model of 150 rows takes 30 times as much CPU by two threads that wait for each other as by one
os.environ.setdefault("OMP_NUM_THREADS", "1")

# how fast a machine is, or how busy, is no fault of the code; and a failure is to come again
settings.register_profile("project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


def _beside(name: str) -> object:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_postgres = _beside("postgres_server")
postgres = _postgres.postgres  # type: ignore[attr-defined]
postgres_template = _postgres.postgres_template  # type: ignore[attr-defined]
postgres_uri = _postgres.postgres_uri  # type: ignore[attr-defined]
new_postgres_uri = _postgres.new_postgres_uri  # type: ignore[attr-defined]
empty_postgres_uri = _postgres.empty_postgres_uri  # type: ignore[attr-defined]

_mlflow = _beside("mlflow_server")
mlflow_server = _mlflow.mlflow_server  # type: ignore[attr-defined]
closed_mlflow_server = _mlflow.closed_mlflow_server  # type: ignore[attr-defined]
mlflow_proxy = _mlflow.mlflow_proxy  # type: ignore[attr-defined]
fresh_name = _mlflow.fresh_name  # type: ignore[attr-defined]

_beside("waiting")
_beside("bench_files")
_beside("process_placement")
_beside("dask_zygote")
_dask = _beside("dask_processes")
dask_zygote = _dask.dask_zygote  # type: ignore[attr-defined]
dask_cluster = _dask.dask_cluster  # type: ignore[attr-defined]
dask_processes = _dask.dask_processes  # type: ignore[attr-defined]
_ray = _beside("ray_processes")
ray_cluster = _ray.ray_cluster  # type: ignore[attr-defined]

_dealing = _beside("dealing")
_object_stores = _beside("object_stores")
s3_server = _object_stores.s3_server  # type: ignore[attr-defined]
gs_server = _object_stores.gs_server  # type: ignore[attr-defined]
azure_server = _object_stores.azure_server  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _no_store_in_the_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store is named by the test alone; MLflow's own client leaves its URI in the environment of the process."""
    if "interop" not in request.path.parts:
        for name in NAMED_BY_THE_ENVIRONMENT:
            monkeypatch.delenv(name, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    _leave_slow_cases(items)
    if config.getoption("loadscopereorder", default=True) is False:
        _dealing.put_in_order(items)  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are collected and stay to the end: looking for garbage among them takes a third of that."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _leave_slow_cases(items: Sequence[pytest.Item]) -> None:
    """Of a test marked `everyday`, only so many cases, or those without some words in their name, are not slow."""
    seen: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("everyday")
        if mark is None:
            continue
        test, _, case = item.nodeid.partition("[")
        seen[test] += 1
        without = mark.kwargs.get("without", ())
        words = [without] if isinstance(without, str) else without
        if seen[test] > mark.kwargs.get("count", len(items)) or any(word in case for word in words):
            item.add_marker(pytest.mark.slow)
