"""From a sweep file to what measures its trials: objective, test data, and who judges on them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.config.conversion import components_of
from hpo.config.schema import SweepConfig
from hpo.errors import ConfigError
from hpo.objective import HeldOut, ModelJudge, Objective
from hpo.provenance.data_version import data_version
from hpo.provenance.file_digest import content_of
from hpo.space import Space
from trackers.records import Dataset

if TYPE_CHECKING:  # for the type only: the module imports pandas
    from hpo.objectives.data_description import DataDescription
    from hpo.objectives.reporting import Reporting


LONGEST_SCHEMA = 1_000_000
"""Characters; MLflow takes little more, and wider data goes without."""


@dataclass(frozen=True)
class Measuring:
    """What runs a trial, what knows its test data (None where there is none), and the data sets it reads."""

    objective: Objective
    held_out: HeldOut | ModelJudge | None = None
    datasets: Sequence[Dataset] = ()


def measuring(config: SweepConfig, space: Space, folders: Sequence[Path], search_path: Sequence[str]) -> Measuring:
    """What the file's `objective` names, imported; data files are found from `folders`.

    ObjectiveError where it cannot be run as it is.
    """
    if config.objective.python is not None:
        from hpo.objectives.python_objective import PythonObjective

        python = PythonObjective(config.objective.python, search_path=tuple(search_path))
        python.resolve()
        return Measuring(python)
    if config.objective.command is not None:
        return Measuring(_command(config, search_path))
    return _sklearn(config, space, folders)


def judge_of(config: SweepConfig, own: HeldOut | ModelJudge | None, search_path: Sequence[str]) -> ModelJudge | None:
    """Who judges on test data: the function that the file names, else the objective's own test part."""
    wanted = config.registration.test if config.registration else None
    if not isinstance(wanted, str):
        return None if wanted is False else own
    from hpo.objectives.python_judge import PythonJudge

    judge = PythonJudge(wanted, config.decisive, tuple(search_path))
    judge.resolve()
    return judge


def is_paired(config: SweepConfig) -> bool:
    """Whether the pruner compares the same step of trials in pairs."""
    of = config.pruner.options.get("of") if config.pruner else None
    named = of.get("name") if isinstance(of, dict) else of
    return config.pruner is not None and "wilcoxon" in (config.pruner.name, named)


def _command(config: SweepConfig, search_path: Sequence[str]) -> Objective:
    from hpo.objectives.command_objective import CommandObjective, MetricSource

    settings = config.objective
    told = settings.metrics
    objective = CommandObjective(
        argv=tuple(settings.command or ()),
        metric=config.metric.name,
        folder=search_path[0],
        source=MetricSource(
            lines=told is None or told.stdout is not None,
            patterns=tuple(told.regex or ()) if told else (),
            file=(told.file or "") if told else "",
        ),
        environment=settings.env or {},
        cwd=settings.cwd or "",
        artifacts=tuple(pattern.removeprefix("{trial_dir}/") for pattern in settings.artifacts or ()),
        model=(settings.model or "").removeprefix("{trial_dir}/"),
        inner_threads=config.parallel.inner_threads,
    )
    objective.prepare()
    return objective


def _sklearn(config: SweepConfig, space: Space, folders: Sequence[Path]) -> Measuring:
    from hpo.objectives.data import DataSource  # scikit-learn and pandas take seconds to import
    from hpo.objectives.model_plan import ModelPlan
    from hpo.objectives.sklearn_objective import SklearnObjective
    from hpo.objectives.validation import Validation

    settings = config.objective.sklearn
    if settings is None:
        raise ConfigError("the sweep file has no objective")
    data, cv = settings.data, settings.cv
    steps = tuple(next(iter(step.items())) for step in settings.pipeline or [])
    objective = SklearnObjective(
        source=DataSource(
            loader=data.loader or "",
            path=_found(data.path, folders) if data.path else "",
            target=data.target or "",
            test=_found(data.test, folders) if isinstance(data.test, str) else data.test,
            seed=data.seed,
        ),
        model=ModelPlan(estimator=settings.estimator or "", steps=steps, components=components_of(config)),
        scoring=config.scorers,
        validation=Validation(folds=cv.folds or 5, holdout=cv.holdout, shuffle=cv.shuffle, seed=cv.seed),
        reporting=_reporting(config),
        describes=config.tracker.autolog,
    )
    objective.check(space, *config.goals)
    datasets = [_dataset(description) for description in objective.describe_data()]
    return Measuring(objective, objective if data.test is not None else None, datasets)


def _reporting(config: SweepConfig) -> "Reporting | None":
    """What trials report on their way; nothing without a pruner, or where it is asked between replicates."""
    from hpo.objectives.reporting import Reporting, Resource

    if config.pruner is None or config.replicates is not None:
        return None
    grows = config.objective.sklearn.resource if config.objective.sklearn else None
    resource = Resource(grows.min, grows.most, grows.factor, grows.param or "") if grows else None
    return Reporting(config.metric.name, each_fold=is_paired(config), resource=resource)


def _found(path: str, folders: Sequence[Path]) -> str:
    """A data file as seen from the first of the folders that has it, else from the current one."""
    return next((str(folder / path) for folder in folders if (folder / path).exists()), path)


def _dataset(description: "DataDescription") -> Dataset:
    """A data set as MLflow records it."""
    columns = [{"type": kind, "name": name, "required": True} for name, kind in description.columns]
    schema = json.dumps({"mlflow_colspec": columns}) if columns else ""
    file = Path(description.source)
    is_file = file.exists()  # a loader's name is none
    profile = {
        "num_rows": description.rows,
        **({"num_columns": description.count, "target": description.target} if description.count else {}),
        **(_file_profile(file) if is_file else {}),
        **({"columns": description.profile} if description.profile else {}),
    }
    return Dataset(
        name=description.name,
        digest=description.digest,
        source_type="local" if is_file else "code",
        source=json.dumps({"uri": str(file.absolute()) if is_file else description.source}),
        schema=schema if 0 < len(schema) <= LONGEST_SCHEMA else None,
        profile=json.dumps(profile),
        context=description.context,
    )


def _file_profile(path: Path) -> dict[str, object]:
    """What is said of the file that data was read from: `file` is its own digest, by which it can be found again."""
    content = content_of(path)
    version = data_version(path)
    return {"file": content.digest, "bytes": content.size, **({"version": version} if version else {})}
