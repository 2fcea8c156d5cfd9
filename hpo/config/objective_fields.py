"""The keys of a sweep file's `objective`: what runs as a trial."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from hpo.config.command_fields import CommandKeys
from hpo.config.fields import (
    WHOLE,
    CallablePath,
    DataPath,
    DottedPath,
    Duration,
    Memory,
    Name,
    Section,
    Seed,
    StepName,
    TestPart,
    Text,
    VariableName,
    broken,
    listed,
)


class Data(Section):
    """The data a scikit-learn objective learns from: a loader, or a file and the column to predict."""

    loader: DottedPath | None = None
    """A function that returns X and y, such as sklearn.datasets.load_breast_cancer."""
    path: DataPath | None = None
    """A .csv or .parquet file, as seen from the current folder."""
    target: Text | None = None
    """The column of the file to predict; all others are features."""
    test: TestPart | None = None
    """The part no trial sees, for judging the winners: a share such as 0.2, or another file with the same columns."""
    seed: Seed = 0
    """Decides which rows a share of test data takes."""

    @model_validator(mode="after")
    def _is_a_loader_or_a_file(self) -> "Data":
        if self.loader is None and self.path is None:
            raise broken("give loader (a function that returns X and y) or path (a file)")
        if self.loader is not None and self.path is not None:
            raise broken("give loader or path, not both", "path", on_key=True)
        if self.path is not None and self.target is None:
            raise broken("missing key 'target': name the column of the file to predict")
        if self.path is None and self.target is not None:
            raise broken("target names a column of a file: it needs path, not loader", "target", on_key=True)
        if self.path is None and isinstance(self.test, str):
            raise broken("a test file needs path, not loader: give a share such as 0.2", "test")
        return self


def _with_default_folds(value: object) -> object:
    if isinstance(value, dict) and value.get("folds") is None and value.get("holdout") is None:
        return {**value, "folds": 5}
    return value


class Validation(Section):
    """How a trial is validated: by folds, or by one part held out. Classes are kept in proportion."""

    folds: Annotated[int, Field(ge=2, le=1000), WHOLE] | None = None
    """Cross-validation with this many folds; 5 where neither folds nor holdout is given."""
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The share of the data to validate on, instead of folds."""
    seed: Seed = 0
    """Decides how the data is split; the same for every trial, so that trials can be compared."""
    shuffle: bool = True
    """Mix the rows before splitting; turn it off where their order matters."""

    @model_validator(mode="after")
    def _is_folds_or_holdout(self) -> "Validation":
        if self.folds is not None and self.holdout is not None:
            raise broken("give folds or holdout, not both", "holdout", on_key=True)
        return self


class Resource(Section):
    """What a trial is given more and more of, so that it can be stopped early: a parameter's value, or rows."""

    param: Name | None = None
    """The parameter that grows, such as clf__n_estimators; a choice of a step that has none is validated as a whole."""
    rows: Literal[True] | None = None
    """Instead of a parameter, the share of the rows to fit on grows; steps are then per cent."""
    min: Annotated[float, Field(gt=0)]
    """How much a trial is given first: a whole number of the parameter, or a share of the rows from 0.01."""
    max: Annotated[float, Field(gt=0)] | None = None
    """How much it is given last, which makes its value; for rows all of them where left out."""
    factor: Annotated[int, Field(ge=2), WHOLE] = 3
    """How many times as much each step has as the one before."""

    @model_validator(mode="after")
    def _is_a_param_or_rows(self) -> "Resource":
        if (self.param is None) == (self.rows is None):
            raise broken("give param (a parameter's name) or rows: true")
        if self.param is not None:
            for key, value in (("min", self.min), ("max", self.max)):
                if value is not None and not value.is_integer():
                    raise broken(f"must be a whole number for a parameter, got {value:g}", key)
            if self.max is None:
                raise broken("missing key 'max': how much of the parameter a trial is given last")
        elif not 0.01 <= self.min < 1 or not self.most <= 1:
            raise broken("min and max must be shares of the rows, from 0.01 to 1", "min")
        if self.min >= self.most:
            raise broken(f"must be below max = {self.most:g}, got {self.min:g}", "min")
        return self

    @property
    def most(self) -> float:
        """How much is given last."""
        return 1.0 if self.max is None else self.max


_Step = Annotated[dict[StepName, DottedPath], Field(min_length=1, max_length=1)]


class SklearnObjective(Section):
    """Fits and validates a scikit-learn estimator with the params of each trial."""

    data: Data
    """The data to learn from."""
    estimator: DottedPath | None = None
    """The class to fit; its set_params() names are the names of the parameters."""
    pipeline: Annotated[list[_Step], Field(min_length=1)] | None = None
    """Steps by name, instead of one estimator; parameters are named step__param, and a step itself can be a choice."""
    cv: Annotated[Validation, BeforeValidator(_with_default_folds)] = Validation(folds=5)
    """How a trial is validated."""
    scoring: (
        Annotated[
            list[Name],
            Field(min_length=1),
            BeforeValidator(listed, json_schema_input_type=Name | Annotated[list[Name], Field(min_length=1)]),
        ]
        | None
    ) = None
    """What is measured: names of scorers, the sweep's metric among them; that metric alone where left out."""
    resource: Resource | None = None
    """What a trial is given more and more of, with a pruner; where left out trials report after each fold."""

    @model_validator(mode="after")
    def _is_an_estimator_or_a_pipeline(self) -> "SklearnObjective":
        if self.estimator is None and self.pipeline is None:
            raise broken("give estimator (a dotted path) or pipeline (a list of steps)")
        if self.estimator is not None and self.pipeline is not None:
            raise broken("give estimator or pipeline, not both", "pipeline", on_key=True)
        _check_steps(self.pipeline or [])
        if self.scoring is not None and len(set(self.scoring)) < len(self.scoring):
            raise broken("each scorer may be named once", "scoring")
        return self

    @property
    def reports(self) -> bool:
        """Whether trials have something to report on their way."""
        return self.resource is not None or self.cv.holdout is None

    @property
    def steps(self) -> list[str]:
        """The names of the pipeline's steps; none without a pipeline."""
        return [name for step in self.pipeline or [] for name in step]


def _check_steps(pipeline: list[dict[str, str]]) -> None:
    seen: set[str] = set()
    for position, step in enumerate(pipeline):
        name = next(iter(step))
        if name in seen:
            raise broken(
                f"each step needs a name of its own, got '{name}' twice", "pipeline", position, name, on_key=True
            )
        seen.add(name)


class Objective(CommandKeys):
    """What a trial does: exactly one of sklearn, python and command; and what it may use."""

    sklearn: SklearnObjective | None = None
    """Fit and validate a scikit-learn estimator."""
    python: CallablePath | None = None
    """Call `module:function` with (params, trial); found from the sweep file's folder and the current folder."""
    secret_env: list[VariableName] = Field(default=[])
    """Environment variables that hold secrets the trials need. They must be set before the sweep starts; their values
    are never recorded, and masked in errors and printed output."""
    timeout: Duration | None = None
    """How long one trial may take before it is ended as FAILED: seconds, or 90s, 10m, 1h30m. Needs backend: loky."""
    memory: Memory | None = None
    """How much memory one trial's processes may hold together before they are killed: 512MiB, 4GiB. Needs backend:
    loky."""

    @property
    def limits(self) -> list[str]:
        """The keys of the limits that are set."""
        return [key for key in ("timeout", "memory") if getattr(self, key) is not None]

    @model_validator(mode="after")
    def _is_exactly_one(self) -> "Objective":
        given = [key for key in ("sklearn", "python", "command") if getattr(self, key) is not None]
        if not given:
            raise broken("give sklearn, python or command")
        if len(given) > 1:
            raise broken(f"give {given[0]} or {given[1]}, not both", given[1], on_key=True)
        return self

    @property
    def reports(self) -> bool:
        """Whether trials have something to report on their way."""
        if self.command is not None:
            return self.command_reports
        return self.sklearn is None or self.sklearn.reports
