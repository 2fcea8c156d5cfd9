"""What a search left behind, read from its MLflow database and folder; nothing is asked of the tool that made it."""

import json
import sqlite3
import statistics
from contextlib import closing
from pathlib import Path

TRIALS = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId'"


class Database:
    """Questions to a tracking database, in SQL."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query).fetchall()

    def one(self, query: str) -> object:
        return self.rows(query)[0][0]

    def per_trial(self, table: str) -> str:
        """How many rows of a table a trial's run has: the median, "0" for none."""
        counts = [row[0] for row in self.rows(
            f"SELECT (SELECT count(*) FROM {table} WHERE {table}.run_uuid = t.run_uuid) FROM ({TRIALS}) t"
        )]  # fmt: skip
        return f"{statistics.median(counts):.0f}" if counts else "0"


def finished_trials(folder: Path) -> int:
    """Trials whose run is at its end, in good order; 0 where there is no database yet."""
    try:
        query = f"SELECT count(*) FROM runs WHERE status = 'FINISHED' AND run_uuid IN ({TRIALS})"
        return int(str(Database(folder / "mlflow.db").one(query)))
    except sqlite3.Error:
        return 0


def facts(folder: Path) -> dict[str, str]:
    """One line for each thing that somebody will want to know later."""
    database = Database(folder / "mlflow.db")
    files = [path for path in (folder / "mlruns").rglob("*") if path.is_file()]
    return {
        "runs of trials, below a parent": str(database.one(f"SELECT count(*) FROM ({TRIALS})")),
        "params a trial": database.per_trial("params"),
        "metrics a trial": database.per_trial("latest_metrics"),
        "metric values a trial (folds, steps)": database.per_trial("metrics"),
        "param values that keep their type": _typed(database),
        "seed": _named(database, "seed"),
        "data sets with digest": str(database.one("SELECT count(*) FROM datasets WHERE digest IS NOT NULL")),
        "commit of the code": _yes(database.rows("SELECT 1 FROM tags WHERE key = 'mlflow.source.git.commit' LIMIT 1")),
        "code that is not committed": _yes([path for path in files if path.suffix in (".patch", ".diff")]),
        "packages of the whole environment": _packages(files),
        "machine, CPU, memory": _yes([path for path in files if _says(path, "cpu")]),
        "settings of the search (space, budget, sampler)": _yes([p for p in files if p.name == "sweep.yaml"]),
        "the scores on the test part": _named(database, "test"),
        "models saved": str(database.one("SELECT count(*) FROM logged_models")),
        "model files that are no pickle": _safe(files),
        "versions registered, with alias": _versions(database),
        "from version back to commit and data": _trail(database),
    }


def _yes(found: object) -> str:
    return "yes" if found else "no"


def _typed(database: Database) -> str:
    """Whether numbers come back as numbers: MLflow's own table keeps texts, so a second one has to."""
    tables = {row[0] for row in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "hpo_trials" not in tables:
        return "no"
    value = json.loads(str(database.one("SELECT params FROM hpo_trials LIMIT 1")))
    return _yes(any(not isinstance(each, str) for each in value.values()))


def _named(database: Database, word: str) -> str:
    """Whether a param, tag or metric of any run is named so, or a column of the trials."""
    for table in ("params", "tags", "latest_metrics"):
        if database.rows(f"SELECT 1 FROM {table} WHERE key LIKE '%{word}%' LIMIT 1"):
            return "yes"
    columns = database.rows("SELECT name FROM pragma_table_info('hpo_trials')")
    return _yes((word,) in columns)


def _packages(files: list[Path]) -> str:
    """The longest list of requirements: that of a model names a few, that of an environment all."""
    counts = [len(path.read_text().splitlines()) for path in files if path.name == "requirements.txt"]
    return str(max(counts, default=0))


def _says(path: Path, word: str) -> bool:
    return path.suffix == ".json" and path.stat().st_size < 100_000 and f'"{word}' in path.read_text().lower()


def _safe(files: list[Path]) -> str:
    models = [path for path in files if path.name.startswith("model.") and path.suffix in (".pkl", ".skops", ".joblib")]
    return _yes(models and all(path.suffix == ".skops" for path in models))


def _versions(database: Database) -> str:
    aliases = [str(row[0]) for row in database.rows("SELECT alias FROM registered_model_aliases")]
    many = database.one("SELECT count(*) FROM model_versions")
    return f"{many}, {', '.join(aliases) or 'no alias'}"


def _trail(database: Database) -> str:
    """Tags of the version itself that lead to both."""
    keys = " ".join(str(row[0]) for row in database.rows("SELECT DISTINCT key FROM model_version_tags"))
    return _yes("commit" in keys and "data" in keys)
