"""Common ground of the fault tests: a sweep folder, drivers that are real processes, and an independent ledger."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the folder is no package, and its files import each other

from driver_process import Driver, processes_of, until
from fork_server import Forked, Zygote
from hosts import Host, Network, need_namespaces, new_network
from ledger_objective import Entry
from sweep_folder import SweepFolder, standard_folder

sys.path.remove(str(Path(__file__).parent))


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """`wait_for(condition, seconds)`: polls until the condition holds."""
    return until


@pytest.fixture
def new_folder(tmp_path: Path) -> Callable[..., SweepFolder]:
    """`new_folder(name)`: one more folder with the standard sweep; `new_folder(name, uri)` with a store on a server."""

    def make(name: str, server: str = "") -> SweepFolder:
        (tmp_path / name).mkdir()
        return standard_folder(tmp_path / name, server)

    return make


@pytest.fixture
def sweep_folder(tmp_path: Path) -> Iterator[SweepFolder]:
    """A folder with the standard sweep; drivers left behind are ended."""
    folder = standard_folder(tmp_path)
    yield folder
    folder.end_all()


@pytest.fixture
def start_driver(sweep_folder: SweepFolder) -> Callable[..., Driver]:
    """`start_driver(*arguments, environment=..)`: `hpo run sweep.yaml ARGUMENTS` as a process of its own."""

    def start(*arguments: str, environment: Mapping[str, str] | None = None) -> Driver:
        return sweep_folder.start("run", "sweep.yaml", *arguments, environment=environment)

    return start


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """`zygote.hpo(folder, "run", "sweep.yaml")`: a driver that starts in milliseconds."""
    ready = Zygote()
    yield ready
    ready.close()


@pytest.fixture
def fork_driver(sweep_folder: SweepFolder, zygote: Zygote) -> Iterator[Callable[..., Forked]]:
    """As `start_driver`, but forked from a process that has everything imported: it starts in milliseconds."""
    forked: list[Forked] = []

    def start(*arguments: str, environment: Mapping[str, str] | None = None) -> Forked:
        forked.append(zygote.start(sweep_folder.path, "run", "sweep.yaml", *arguments, environment=environment))
        return forked[-1]

    yield start
    for driver in forked:
        driver.end()


@pytest.fixture
def ledger(sweep_folder: SweepFolder) -> Callable[[], Sequence[Entry]]:
    """`ledger()`: what the objective wrote so far."""
    return sweep_folder.ledger


@pytest.fixture
def new_host(tmp_path: Path) -> Callable[[str], Host]:
    """`new_host(name)`: a host with name, boot, user and home of its own, in the network of this one."""
    need_namespaces()
    return lambda name: Host(name, tmp_path / f"host-{name}")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A network of hosts, without any yet."""
    need_namespaces()
    (tmp_path / "network").mkdir()
    with new_network(tmp_path / "network") as made:
        yield made


@pytest.fixture
def living() -> Callable[[Path], list[int]]:
    """`living(folder)`: the processes that work below it."""
    return processes_of
