"""Checks an MLflow against our schema and writer: the newest that can be installed, another version, or one at hand.

Usage: python scripts/check_mlflow.py [--version 3.9.0 | --python PATH | --installed]

It lets that MLflow make a database, compares the tables we write with it, writes a sweep and a registered model into it
and into one of our own, which it then upgrades, and reads both by its client. MLflow 2 reads what `hpo db export` makes
of ours. Prints a line for each check. Exit 0 where all hold, 1 where one does not, 3 where it cannot be installed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bootstrap import TOOLS, UV

from trackers.artifacts import ArtifactFolder
from trackers.mlflow2_export import export_for_mlflow2
from trackers.opening import Store, open_store
from trackers.records import (
    Artifact,
    Dataset,
    LoggedModel,
    NewVersion,
    Point,
    Query,
    RunEnded,
    RunStarted,
    Status,
    SweepFacts,
    TrialFacts,
    Value,
)
from trackers.sql import schema
from trackers.sql.guard import CORE, inspect_layout

PROBE = Path(__file__).with_name("mlflow_probe.py")
NOT_INSTALLABLE = 3
EXPERIMENT, MODEL, SWEEP = "checked", "checked", "5" * 32
ROWS = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
OLD = ("sqlalchemy<2.1", "setuptools<81")
"""What MLflow before 3.10 needs beside it."""
WITHOUT_SKOPS = (3, 9)
"""MLflow before this cannot load skops files."""


class NotInstallable(Exception):
    """This MLflow cannot be had here."""


@dataclass
class Report:
    """The checks that were made, each with what is wrong, '' where nothing is."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def add(self, check: str, wrong: str = "") -> None:
        """One more, printed at once."""
        self.lines.append((check, wrong))
        print(f"{'ok  ' if not wrong else 'FAIL'}  {check}{f': {wrong}' if wrong else ''}", flush=True)

    def same(self, check: str, found: object, wanted: object) -> None:
        """Whether two things are equal."""
        self.add(check, "" if found == wanted else f"got {found!r:.300}, not {wanted!r:.300}")

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not any(wrong for _, wrong in self.lines)


@dataclass(frozen=True)
class Mlflow:
    """An MLflow in a Python of its own."""

    python: Path

    def ask(self, *words: str) -> dict[str, object]:
        """What the probe says."""
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PYTHONPATH"):
            environment.pop(name, None)
        command = [str(self.python), "-P", str(PROBE), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}")
        answer: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer


def main(arguments: Sequence[str]) -> int:
    """Makes all checks; the exit code."""
    asked = _parsed(arguments)
    try:
        python = asked.python or (Path(sys.executable) if asked.installed else install(asked.version))
    except NotInstallable as error:
        print(f"skipped: {error}", file=sys.stderr)
        return NOT_INSTALLABLE
    report = Report()
    with tempfile.TemporaryDirectory(prefix="hpo-check-mlflow-") as folder:
        check(Mlflow(python), Path(folder), report)
    return 0 if report.holds else 1


def install(wanted: str) -> Path:
    """A Python with that MLflow, '' for the newest, in `.tools/mlflow/`; what is there already is taken."""
    folder = TOOLS / "mlflow" / (wanted or "newest")
    python = folder / "bin" / "python"
    if wanted and (folder / "ready").exists():
        return python
    uv = _uv()
    venv.create(folder, with_pip=not uv, clear=True, symlinks=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    if not uv:
        _run([*pip, UV], wanted)
        uv = [str(folder / "bin" / "uv")]
    is_old = wanted and tuple(map(int, wanted.split(".")[:2])) < (3, 10)
    packages = [f"mlflow=={wanted}" if wanted else "mlflow", *(OLD if is_old else ())]
    packages += [f"{name}=={version(name)}" for name in ("scikit-learn", "skops", "cloudpickle")]
    _run([*uv, "pip", "install", "--quiet", "--python", str(python), *packages], wanted)
    (folder / "ready").touch()
    return python


def _uv() -> list[str]:
    found = shutil.which("uv") or shutil.which("uv", path=TOOLS / "bin")
    return [found] if found else []


def _run(command: Sequence[str], wanted: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NotInstallable(f"MLflow {wanted or '(the newest)'} cannot be installed here: {said}")


def check(mlflow: Mlflow, folder: Path, report: Report) -> None:
    """All checks of one MLflow."""
    (folder / "theirs").mkdir()
    theirs, ours = f"sqlite:///{folder}/theirs/mlflow.db", f"sqlite:///{folder}/mlflow.db"
    found = str(mlflow.ask("create", theirs)["version"])
    print(f"MLflow {found} ({mlflow.python})")
    number = tuple(int(part) for part in found.split(".")[:2])
    report.add("its database has the tables and columns we write", "; ".join(differences(theirs)))
    predictions = write(theirs, folder / "theirs" / "mlruns")
    compare(mlflow, theirs, predictions, report, "written into its database", skops=number >= WITHOUT_SKOPS)
    with open_store(theirs, read_only=True) as store:
        [run] = store.tracker.find(Query(name="theirs"))
        report.same("its own run is read by us", (run.params, run.metrics), ({"depth": "3"}, {"rmse": 0.25}))
    predictions = write(ours, folder / "mlruns")
    if number < (3, 0):
        exported = f"sqlite:///{folder}/exported.db"
        export_for_mlflow2(ours, folder / "exported.db", folder / "models")
        compare(mlflow, exported, predictions, report, "exported for MLflow 2", of=ours, skops=True)
        return
    before = _shown(ours)
    mlflow.ask("upgrade", ours)
    report.same("our database is the same to us after its upgrade", _shown(ours), before)
    report.add("it can be written to after its upgrade", "; ".join(differences(ours)))
    compare(mlflow, ours, predictions, report, "our database, upgraded by it", skops=number >= WITHOUT_SKOPS)


def differences(uri: str) -> Iterator[str]:
    """How the tables of a database differ from those we write, where that matters."""
    engine = sa.create_engine(uri)
    with engine.connect() as connection:
        yield from inspect_layout(connection, uri).problems
        inspector = sa.inspect(connection)
        for table in CORE:
            found = {column["name"]: str(column["type"]) for column in inspector.get_columns(table)}
            for column in schema.metadata.tables[table].columns:
                known, there = str(column.type.compile(engine.dialect)), found.get(column.name, "")
                if column.name in found and _kind(known) != _kind(there):
                    yield f"{table}.{column.name} is {there}, not {known}"
    engine.dispose()


def _kind(type_: str) -> str:
    """What a type can hold, however long: MLflow makes texts longer now and then."""
    return "TEXT" if type_.startswith(("VARCHAR", "TEXT")) else type_.split("(")[0]


def write(uri: str, artifacts: Path) -> list[float]:
    """A sweep of three trials with data, a model and a champion; what the champion predicts for `ROWS`."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(ROWS, [0, 1, 1, 0])
    with open_store(uri, artifacts=str(artifacts)) as store:
        store.tracker.experiment(EXPERIMENT)
        facts = SweepFacts("{}", "0" * 64, "score", "maximize", 42, 1, 3)
        data = Dataset("rows", "d1")
        store.tracker.record([RunStarted(SWEEP, "sweep", EXPERIMENT, 1000, datasets=[data], sweep=facts)])
        for number, value in enumerate([0.5, 0.75, float("inf")]):
            _write_trial(store, number, value, model if number == 1 else None)
        store.tracker.record([RunEnded(SWEEP, Status.FINISHED, 9000)])
        run = store.tracker.get(f"{1:032x}")
        kept = run.models[0]
        version = NewVersion(
            MODEL, kept.uri, run.id, "key", model_id=kept.model_id or None, tags={"why": "best"},
            aliases=("champion",), stage="Production", who="check",
        )  # fmt: skip
        store.registry.register(version)
    return [float(value) for value in model.predict(ROWS)]


def _write_trial(store: Store, number: int, value: float, model: object | None) -> None:
    run_id = f"{number:032x}"
    params: dict[str, Value] = {"depth": number, "kind": "abc"[number], "rate": 0.5}
    started = RunStarted(
        run_id, f"trial-{number}", EXPERIMENT, 2000 + number, SWEEP, params, {"note": "ä 😀"},
        trial=TrialFacts(number, params),
    )  # fmt: skip
    store.tracker.record([started])
    files: Sequence[Artifact] = ()
    models: Sequence[LoggedModel] = ()
    if model is not None:
        place = store.tracker.get(run_id).artifact_uri
        logged, files = ArtifactFolder().save_model(place, model, name="model", run_id=run_id, input_example=ROWS)
        models = [logged]
    points = [Point("score", 0.25, 0, 2500), Point("score", value, 1, 2600), Point("odd", float("nan"), 0, 2600)]
    facts = TrialFacts(number, params, "COMPLETE", value=value, seconds=0.5)
    store.tracker.record(
        [RunEnded(run_id, Status.FINISHED, 3000 + number, points, artifacts=files, models=models, trial=facts)]
    )


def compare(
    mlflow: Mlflow, uri: str, predictions: list[float], report: Report, what: str, *, skops: bool, of: str = ""
) -> None:
    """What its client sees, against what our store holds (`of`, else the same)."""
    try:
        seen = mlflow.ask("read", uri, EXPERIMENT, MODEL)
    except RuntimeError as error:
        report.add(f"{what}: its client reads it", str(error))
        return
    runs = seen["runs"]
    if not isinstance(runs, Mapping):
        raise TypeError("the probe gives runs by name")
    with open_store(of or uri, read_only=True) as store:
        for run in store.tracker.find(Query(experiment=EXPERIMENT)):
            history = [[point.value, point.step] for point in store.tracker.history(run.id, "score")]
            wanted = {
                "status": run.status.value,
                "times": [run.started, run.ended],
                "params": {name: str(value) for name, value in run.params.items()},
                "metrics": {name: repr(value) for name, value in sorted(run.metrics.items())},
                "history": history,
                "parent": run.parent_id,
                "note": run.tags.get("note"),
                "data": ["rows"] if run.sweep else [],
            }
            report.same(f"{what}: run {run.name}", runs.get(run.name), wanted)
        place = store.registry.get(MODEL, "champion").source
    report.same(f"{what}: search and order", [seen["ranked"], seen["filtered"]], [_RANKED, ["trial-1"]])
    report.same(f"{what}: alias, stage and tags", seen["champion"], ["1", f"{1:032x}", "Production", {"why": "best"}])
    if of:
        place = str(seen["place"]) if Path(str(seen["place"]), "model.pkl").exists() else place
    report.same(f"{what}: where the model lies", seen["place"], place)
    if skops:
        report.same(f"{what}: models:/{MODEL}@champion predicts", seen["predictions"], predictions)
    else:
        report.add(f"{what}: models:/{MODEL}@champion is left out, this MLflow knows no skops files")


_RANKED = ["trial-2", "trial-1", "trial-0"]


def _shown(uri: str) -> list[str]:
    with open_store(uri, read_only=True) as store:
        shown = [repr(run) for run in store.tracker.find(Query())]
        return [*shown, *map(repr, store.registry.versions())]


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check an MLflow against our schema and writer.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", default="", metavar="3.9.0", help="this version, installed into .tools/mlflow")
    which.add_argument("--python", type=Path, metavar="PATH", help="the MLflow of this Python")
    which.add_argument("--installed", action="store_true", help="the MLflow that is installed here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
