"""How tests are dealt to the processes of xdist: what shares a dear set-up goes to one of them, the rest file by file.

Fixtures of a session are made once for each process. Dealt test by test, every process starts every server of the
suite, and imports every library; so with `--dist loadgroup` the tests round a server are a group, and a file is one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

GROUPS: Mapping[str, frozenset[str]] = {
    "mlflow": frozenset({"mlflow", "mlflow_server", "closed_mlflow_server"}),
    "object-stores": frozenset({"s3_server", "gs_server", "azure_server"}),
    "drivers": frozenset({"zygote"}),
    "dask": frozenset({"dask_zygote", "dask_cluster", "dask_processes"}),
}
"""What tests ask for that is dear to make; who asks for several belongs to the first of these."""
BY_NAME = {"dask": "dask", "s3": "object-stores", "gs": "object-stores", "azure": "object-stores"}
"""Cases of a contract that ask for such a thing only as they run."""
LAST = "web"
"""Playwright leaves a running loop behind, in which others could not run theirs."""


def deal(items: list[pytest.Item]) -> None:
    """Names the group of each test, and puts the groups in order: those round servers first, small ones last."""
    groups = {item: _group(item) for item in items}
    sizes = Counter(groups.values())
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (_turn(item, groups[item]), -sizes[groups[item]], groups[item]))


def forget_groups(items: Sequence[pytest.Item]) -> None:
    """Takes the group off the names of tests once they were dealt, so that what is shown can be asked for."""
    for item in items:
        item._nodeid = item.nodeid.removesuffix(f"@{_group(item)}")


def _group(item: pytest.Item) -> str:
    asked = getattr(item, "fixturenames", ())
    for group, fixtures in GROUPS.items():
        if not fixtures.isdisjoint(asked):
            return group
    words = item.name.partition("[")[2].removesuffix("]").split("-")
    named = next((BY_NAME[word] for word in words if word in BY_NAME), "")
    return named or item.path.relative_to(item.config.rootpath).as_posix()


def _turn(item: pytest.Item, group: str) -> int:
    if item.path.parent.name == LAST and item.path.parents[1].name == "tests":
        return 2
    return 0 if group in GROUPS else 1
