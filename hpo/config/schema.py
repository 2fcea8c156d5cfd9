"""The sweep file's keys: what each means, what it may hold, and what it is where the file is silent."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator
from pydantic_core import InitErrorDetails

from hpo.config.capture_fields import Capture
from hpo.config.constraint_rules import Constraints
from hpo.config.fields import (
    WHOLE,
    Alias,
    ArtifactPlace,
    Duration,
    HolderOf,
    Mirror,
    ModelName,
    Name,
    Option,
    ScoredOn,
    Section,
    Seed,
    StoreUri,
    Text,
    WindowSize,
    broken,
    listed,
)
from hpo.config.metrics_fields import MetricOfSeveral, Pick, SeveralMetrics, pick_from_word
from hpo.config.nearest import did_you_mean
from hpo.config.objective_fields import Objective
from hpo.config.parallel_fields import ClusterKeys
from hpo.config.parameters import ParameterSpec
from hpo.config.rules import Facts, GateFacts, findings
from hpo.config.search_fields import Duplicates, Replicates, StartPoint, WarmStart
from hpo.config.several_rules import UNSERVED, MetricGiven, SeveralFacts
from hpo.config.words import VALUES
from hpo.trial import Goal

SAMPLERS: Mapping[str, tuple[str, ...]] = {
    "optuna": ("tpe", "gp", "cmaes", "qmc", "nsga2", "random", "grid"),
    "hyperopt": ("tpe", "anneal", "random", "grid"),
    "auto": ("auto",),
}
"""The samplers of each engine; random and grid are the same under both."""

_PruningRule = Literal["median", "percentile", "asha", "hyperband", "patient", "threshold", "wilcoxon"]


MOST_ON_A_CLUSTER = 1000
"""How many slots are asked for where neither n_jobs nor the window says."""


class Metric(Section):
    """What trials are ranked by."""

    name: Name
    """The metric's name: one of `scoring` for a scikit-learn objective, a key of what a Python objective returns."""
    goal: Literal["minimize", "maximize"] = "minimize"
    """Which way is better."""
    target: float | None = None
    """The sweep ends once the best trial is this good."""


class Engine(Section):
    """What proposes the trials."""

    name: Literal["auto", "optuna", "hyperopt"] = "auto"
    """auto: our own choice, by the space and the number of the trial; or the library that searches. Where a sampler or
    options are given and no name, optuna."""
    sampler: Annotated[
        Text, WithJsonSchema({"enum": sorted({name for names in SAMPLERS.values() for name in names})})
    ] = "auto"
    """Its way of searching. optuna: tpe, gp, cmaes, qmc, nsga2; hyperopt: tpe, anneal; both: random, grid. Where left
    out auto's own, or tpe of a library."""
    seed: Seed = 0
    """Decides every draw of the sweep: the same seed gives the same trials."""
    options: dict[str, Option] = Field(default={})
    """Settings of the sampler, under the engine's own names."""

    @model_validator(mode="before")
    @classmethod
    def _say_what_is_left_out(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        of_library = given.get("sampler", "auto") != "auto" or bool(given.get("options"))
        name = given.get("name", "optuna" if of_library else "auto")
        return {"name": name, "sampler": "auto" if name == "auto" else "tpe", **given}

    @model_validator(mode="after")
    def _has_the_sampler(self) -> "Engine":
        known = SAMPLERS[self.name]
        if self.sampler not in known:
            hint = did_you_mean(self.sampler, known, VALUES)
            raise broken(f"{self.name} has no sampler '{self.sampler}'; it has {', '.join(known)}{hint}", "sampler")
        return self

    @property
    def title(self) -> str:
        """How messages call it: `optuna tpe`, `engine auto`."""
        return "engine auto" if self.name == "auto" else f"{self.name} {self.sampler}"


class Pruner(Section):
    """What stops trials that are not worth finishing, by what they report."""

    name: _PruningRule
    """The rule, as optuna has it: median, percentile, asha (successive halving), hyperband, patient, threshold,
    wilcoxon."""
    options: dict[str, Option] = Field(default={})
    """Settings of the rule, under optuna's own names; patient takes the rule it wraps as `of`."""


class Budget(Section):
    """When the sweep ends: at whichever limit is reached first."""

    n_trials: Annotated[int, Field(ge=1, le=10_000_000), WHOLE] = 50
    """How many trials to run."""
    timeout: Duration | None = None
    """How long to start new trials: seconds, or 90s, 10m, 1h30m."""
    max_failures: Annotated[int, Field(ge=1), WHOLE] | None = 10
    """How many failed trials end the sweep; null: never."""
    patience: Annotated[int, Field(ge=1), WHOLE] | None = None
    """How many trials in a row without a new best one end the sweep."""


class Parallel(ClusterKeys):
    """How trials run at the same time."""

    n_jobs: Annotated[int, Field(ge=-1, le=10_000), WHOLE] = 1
    """How many trials run at once; -1: one for each core, up to the window; on a cluster as many as it has room for."""
    window: WindowSize | None = None
    """Trial n knows the trials up to n - window; where left out 1 for one job, else 2 x n_jobs (8 x above 64 jobs where
    nothing learns from trials). The same window gives the same trials for any number of jobs up to it. free: use all
    that has ended; busiest, but not repeatable."""
    inner_threads: Annotated[int, Field(ge=1, le=10_000), WHOLE] = 1
    """Threads each trial's numerical libraries may use; where left out cpus_per_trial, else 1."""

    @model_validator(mode="after")
    def _fits_the_window(self) -> "Parallel":
        if self.n_jobs == 0:
            raise broken("must be at least 1, or -1 for one job a core, got 0", "n_jobs")
        if self.n_jobs == -1 and self.window is None:
            raise broken(
                "-1 needs a window, or the trials would depend on the number of cores: add window: 8", "n_jobs"
            )
        if isinstance(self.window, int) and self.window < self.n_jobs:
            raise broken(f"must be at least n_jobs = {self.n_jobs}, got {self.window}", "window")
        return self

    @model_validator(mode="after")
    def _has_devices_to_deal(self) -> "Parallel":
        asked = self.asks_for_device
        if asked and self.backend in ("threading", "serial"):
            raise broken(
                f"backend {self.backend} has one process, which has one set of devices; write backend: loky", asked
            )
        return self

    @property
    def rolling_window(self) -> int | None:
        """The window's size, derived where the file is silent; None where it is free."""
        if self.window == "free":
            return None
        return self.window or (1 if self.n_jobs == 1 else 2 * self.n_jobs)

    def slots(self, cores: int) -> int:
        """How many trials run at once on a machine with this many cores."""
        if self.backend == "serial":
            return 1
        if self.is_cluster and self.n_jobs < 0:  # as many as the cluster has room for
            return self.rolling_window or MOST_ON_A_CLUSTER
        return self.n_jobs if self.n_jobs > 0 else min(cores, self.rolling_window or cores)


class TrackerSettings(Section):
    """Where everything is recorded."""

    uri: StoreUri | None = None
    """The tracking database; where left out $HPO_TRACKER, $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db. The http://
    address of a server means that file, with the server as a mirror."""
    mirror: Annotated[list[Mirror], BeforeValidator(listed, json_schema_input_type=Mirror | list[Mirror])] = Field(
        default=[]
    )
    """The http:// address of an MLflow tracking server, or a list of them, that is sent everything. User and password
    come from $MLFLOW_TRACKING_USERNAME and $MLFLOW_TRACKING_PASSWORD."""
    artifacts: ArtifactPlace = "mlruns"
    """The folder for files and models, or a place in an object store: s3://bucket/path, gs://bucket/path,
    az://container/path, wasbs://container@account.blob.core.windows.net/path. Credentials come from the environment."""
    log_models: Literal["best", "all", "none"] = "best"
    """Whose models are kept: the best trials', all trials', or none."""
    autolog: bool = True
    """Whether models of scikit-learn objectives that are kept are described beside: their parameters, training scores,
    feature importances, confusion matrix or residuals."""
    retry_for: Duration = 300.0
    """How long to wait for a database that is busy, full or out of reach: seconds, or 90s, 10m; $HPO_STORE_RETRY_FOR
    overrides it."""


class Registration(Section):
    """What becomes a version of a registered model when the sweep ends."""

    name: ModelName
    """The registered model's name."""
    top: Annotated[int, Field(ge=1, le=1000), WHOLE] = 1
    """How many of the best trials compete, on the test part where there is one; the best of them is registered."""
    pick: Annotated[Pick, BeforeValidator(pick_from_word, json_schema_input_type=Pick | Literal["knee"])] | None = None
    """By several metrics: the rule that puts the trials of the front in an order, and so says which one is meant."""
    when: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    """A gate: what a trial's record must say for it to compete, such as roc_auc >= 0.98 and seconds < 30."""
    seeds: Annotated[int, Field(ge=2, le=100), WHOLE] | None = None
    """A gate: each finalist is run again with this many other seeds, and the best mean wins; one that fails is out."""
    test: ScoredOn | None = None
    """What judges the finalists, once: true, the objective's test part (also where left out); false, nothing; or
    module:function, called with each one's model, which returns a number or metrics by name."""
    better_than: HolderOf | None = None
    """A gate: the winner must beat the version with this alias, or number, on the same data; the first one passes."""
    margin: Annotated[float, Field(ge=0)] = 0.0
    """By how much it must beat that version, in units of the metric."""
    alias: Alias | None = "champion"
    """The alias that then points to the new version; null: none."""
    stage: Literal["Staging", "Production"] | None = None
    """The stage the new version then has; the version that had it is archived."""

    @model_validator(mode="after")
    def _has_a_free_alias(self) -> "Registration":
        for key in ("alias", "better_than"):
            alias = str(getattr(self, key) or "").lower()
            if alias == "latest" or (alias.startswith("v") and alias[1:].isdigit()):
                meant = ": write the number alone" if key == "better_than" and alias != "latest" else ""
                raise broken(f"MLflow keeps '{getattr(self, key)}' for itself{meant or ': choose another alias'}", key)
        return self

    @model_validator(mode="after")
    def _has_somebody_to_beat(self) -> "Registration":
        if self.margin and self.better_than is None:
            raise broken("says by how much to beat somebody: add better_than: champion", "margin", on_key=True)
        return self

    @property
    def gates(self) -> GateFacts:
        """What the rules between sections look at."""
        return GateFacts(self.test, self.better_than, self.seeds)


def from_name(value: object) -> object:
    """The section that a single word stands for."""
    return {"name": value} if isinstance(value, str) else value


class SweepConfig(Section):
    """A sweep file."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["metric"]}, {"required": ["metrics"]}]},
        validate_by_name=False,  # or keys could be called by names that only the code has
    )

    version: Literal[1] = 1
    """The version of this file's format."""
    name: Annotated[Name, Field(max_length=200)]
    """The sweep's name: that of its parent run, and how commands call it."""
    experiment: Annotated[Text, Field(max_length=250)] | None = None
    """The MLflow experiment that holds the runs; where left out the sweep's name."""
    description: Annotated[str, Field(max_length=5000)] | None = None
    """A note for people, shown with the sweep."""
    tags: dict[Name, Annotated[str, Field(max_length=5000)]] = Field(default={})
    """Tags of the sweep's run."""
    one: Metric | None = Field(None, alias="metric")
    """What trials are ranked by."""
    metrics: SeveralMetrics | None = None
    """Several metrics instead of one: trials are searched by all of them, and no single one is the best."""
    objective: Objective
    """What a trial does."""
    parameters: Annotated[dict[Name, ParameterSpec], Field(min_length=1)]
    """What is searched, by name. A list is a choice, a single value a constant, a range needs type, low and high."""
    engine: Annotated[
        Engine, BeforeValidator(from_name, json_schema_input_type=Engine | Literal["auto", "optuna", "hyperopt"])
    ] = Engine()
    """What proposes the trials: settings, or just a name; auto where left out."""
    pruner: Annotated[Pruner, BeforeValidator(from_name, json_schema_input_type=Pruner | _PruningRule)] | None = None
    """What stops trials that are not worth finishing: settings, or just the rule's name; nothing where left out."""
    constraints: Constraints = Field(default=[])
    """Conditions such as `a < b`, which params satisfy before they are run, or metrics.latency <= 100, afterwards."""
    start: Annotated[list[StartPoint], Field(max_length=10_000)] = Field(default=[])
    """Points that are run first, as trials 0, 1, ..; what a point leaves open is drawn at random."""
    warm_start: WarmStart | None = None
    """Earlier sweeps in the same store, whose trials the sampler is told before the first one."""
    duplicates: Duplicates = "replicate"
    """What is done about a point that had its trial already: run it again, take over its value, or draw another."""
    replicates: Replicates | None = None
    """How many times each trial runs its point, and what of that is its value; once where left out."""
    budget: Budget = Budget()
    """When the sweep ends."""
    parallel: Parallel = Parallel()
    """How trials run at the same time."""
    tracker: TrackerSettings = TrackerSettings()
    """Where everything is recorded."""
    capture: Capture = Capture()
    """What is kept beside so that trials can be run again."""
    registration: Registration | None = Field(None, alias="register")
    """What is registered when the sweep ends; nothing where left out."""

    @model_validator(mode="after")
    def _fits_together(self) -> "SweepConfig":
        errors = [
            InitErrorDetails(type=broken(found.message, on_key=found.on_key), loc=found.at, input=None)
            for found in findings(facts_of(self))
        ]
        if errors:
            raise ValidationError.from_exception_data(type(self).__name__, errors)
        return self

    @property
    def experiment_name(self) -> str:
        """The MLflow experiment that holds the runs."""
        return self.experiment or self.name

    @property
    def goal(self) -> Goal:
        """Which way the sweep's metric is better, the first one where there are several."""
        return Goal(self.metric.goal)

    @property
    def metric(self) -> Metric:
        """The sweep's metric; the first one where there are several."""
        if self.one is not None:
            return self.one
        name, goal = next(iter(self.goals.items()))
        return Metric(name=name, goal=goal.value)

    @property
    def goals(self) -> Mapping[str, Goal]:
        """Which way each of the sweep's metrics is better."""
        if self.one is not None:
            return {self.one.name: Goal(self.one.goal)}
        return {metric.name: Goal(metric.goal) for metric in self.metrics or []}

    @property
    def decisive(self) -> str:
        """The metric by which single trials are judged: the sweep's; of several the one `register.pick` puts first."""
        pick = self.registration.pick if self.registration else None
        return (pick.decisive if pick else None) or self.metric.name

    @property
    def scorers(self) -> tuple[str, ...]:
        """What a scikit-learn objective measures, the sweep's metrics among it."""
        sklearn = self.objective.sklearn
        return tuple(sklearn.scoring or self.goals) if sklearn else ()


def metrics_given(one: Metric | None, several: Sequence[MetricOfSeveral] | None) -> list[MetricGiven]:
    """The metrics, each with its place."""
    given = [MetricGiven(("metric",), one.name, one.goal)] if one else []
    return given + [MetricGiven(("metrics", number), each.name, each.goal) for number, each in enumerate(several or [])]


def facts_of(config: SweepConfig) -> Facts:
    """What the rules between sections look at."""
    sklearn = config.objective.sklearn
    return Facts(
        metrics=metrics_given(config.one, config.metrics),
        several=SeveralFacts(
            has_metric=config.one is not None or config.metrics is not None,
            has_both=config.one is not None and config.metrics is not None,
            is_several=config.metrics is not None,
            engine=config.engine.name,
            sampler=config.engine.sampler,
            pick=config.registration.pick if config.registration else None,
            given=[key for key in UNSERVED if getattr(config, key) is not None],
        ),
        is_sklearn=sklearn is not None,
        scoring=sklearn.scoring if sklearn else None,
        steps=sklearn.steps if sklearn else (),
        parameters=config.parameters,
        names=list(config.parameters),
        keeps_models=config.tracker.log_models != "none",
        registers=config.registration is not None,
        gates=config.registration.gates if config.registration else None,
        has_test=sklearn is not None and sklearn.data.test is not None,
        estimator=sklearn.estimator if sklearn else None,
        limits=config.objective.limits,
        backend=config.parallel.backend,
        prunes=config.pruner is not None,
        reports=config.objective.reports or config.replicates is not None,
        command=tuple(config.objective.command_texts),
        keeps_folder=config.objective.model is not None,
        grows=(sklearn.resource.param or "") if sklearn and sklearn.resource else None,
        constraints=config.constraints,
        start=config.start,
        replicates=config.replicates is not None,
    )
