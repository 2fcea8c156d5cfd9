"""MLflow's own page and optuna-dashboard on the same trials."""

import contextlib
import importlib.util
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from pages.served import BIN, NAME, serving

from trackers.opening import open_store
from trackers.records import Query


@contextlib.contextmanager
def mlflow_server(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """The runs of the experiment in MLflow's own page, which puts trials behind their sweep's row."""
    copy = folder / "copy.db"
    shutil.copy(folder / "mlflow.db", copy)
    port = free_port()
    command = [
        str(BIN / "mlflow"),
        "server",
        "--backend-store-uri",
        f"sqlite:///{copy}",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    with serving(command, f"http://127.0.0.1:{port}/health", folder):
        with open_store(f"sqlite:///{copy}", read_only=True) as store:
            experiment = store.tracker.experiment(NAME)
        yield f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs", "text=matching runs"


@contextlib.contextmanager
def optuna_dashboard(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """The study in optuna-dashboard; drawn once its history is."""
    program = shutil.which("optuna-dashboard") or shutil.which(str(BIN / "optuna-dashboard"))
    if program is None or importlib.util.find_spec("optuna") is None:
        raise LookupError("it is not installed; pip install optuna-dashboard")
    journal = folder / f"journal-{count}.log"
    if not journal.exists():
        write_journal(journal, folder)
    port = free_port()
    with serving([program, str(journal), "--port", str(port)], f"http://127.0.0.1:{port}/dashboard", folder):
        yield f"http://127.0.0.1:{port}/dashboard/studies/0", ".js-plotly-plot .scatterlayer"


def write_journal(path: Path, folder: Path) -> None:
    """The same trials as an optuna study in a file."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name=NAME)
    with open_store(f"sqlite:///{folder / 'mlflow.db'}", read_only=True) as store:
        (parent,) = store.tracker.find(Query(sweeps=True, name=NAME))
        heads, bodies = store.watching.heads(parent.id), store.watching.bodies(parent.id)
    kinds = optuna.distributions
    rates, others = kinds.FloatDistribution(1e-9, 1e9), kinds.FloatDistribution(-1e9, 1e9)
    for head in heads:
        if head.value is None:
            continue
        params = {k: v for k, v in bodies[head.run_id].params.items() if isinstance(v, int | float)}
        used = {name: rates if value > 0 else others for name, value in params.items()}
        params = {name: float(value) for name, value in params.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=used, value=head.value))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port
