"""From a sweep file to the parts that run it: the only place that picks implementations."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.budget import Budget
from hpo.build_objective import is_paired, judge_of, measuring
from hpo.config.conversion import constraints_of, space_of, start_of
from hpo.config.schema import SweepConfig
from hpo.config.secrets_in_file import secrets_of, without_secrets
from hpo.config.window import learns, window_of
from hpo.data_record import without_secrets_in
from hpo.early_workers import EarlyWorkers
from hpo.errors import ConfigError
from hpo.executor import Executor
from hpo.executors.limits import Limits
from hpo.executors.names import make_executor
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.reaching import check_reachable
from hpo.executors.result_folder import ResultFolder
from hpo.feasibility import allows, constrained
from hpo.gates import when_findings
from hpo.masking import Secrets, remember
from hpo.mlflow_in_trials import mlflow_in_trials
from hpo.objective import HeldOut, ModelJudge, ModelSource, Objective, Surroundings, TrialFiles
from hpo.objectives.held_out import HeldOutScore
from hpo.patience import retry_seconds
from hpo.places import URI_VARIABLES, Places, places_of
from hpo.plan import Plan
from hpo.pruner import Pruner
from hpo.pruners.names import make_pruner
from hpo.replication import Replication
from hpo.sampler import Sampler
from hpo.samplers.names import make_sampler
from hpo.samplers.started_sampler import StartedSampler
from hpo.secret_keeping import SecretKeeping, SecretKeepingFiles
from hpo.slots_here import share_of, slot_count
from hpo.space import Space
from hpo.sweep_inputs import sweep_inputs
from hpo.system_metrics import SystemMetrics
from hpo.trial import Goal
from hpo.warm_start import KnownTrial, tell_known
from trackers.records import Dataset


@dataclass(frozen=True)
class Parts:
    """Everything a sweep needs beside a store, checked as far as it can be without running a trial."""

    config: SweepConfig
    space: Space
    objective: Objective
    held_out: HeldOut | ModelJudge | None
    datasets: Sequence[Dataset]
    search_path: Sequence[str]
    secrets: Secrets
    surroundings: Surroundings | None = None
    cluster: Cluster = Cluster()  # noqa: RUF009  # frozen
    early: EarlyWorkers | None = None

    def reading_inputs(self) -> "Parts":
        """The same parts; the files that the sweep file says its trials read are among the data sets.

        ConfigError where one is not there.
        """
        named = sweep_inputs(self.config.capture.inputs, self.search_path)
        return replace(self, datasets=[*self.datasets, *(without_secrets_in(data, self.secrets) for data in named)])

    def with_workers(self, early: EarlyWorkers) -> "Parts":
        """The same parts; the first workers of the search are those that were started early."""
        return replace(self, early=early)

    def beside(self, uri: str) -> "Parts":
        """The same parts; what trials log by MLflow goes onto their runs in the database at this URI."""
        return replace(self, surroundings=mlflow_in_trials(uri))

    def on_cluster(self, artifacts: Path | None, is_over: Callable[[], bool]) -> "Parts":
        """The same parts; the hosts of a cluster, if there is one, all have to see that local folder for artifacts.

        `is_over` says that somebody wants an end, which is looked at while the first host is waited for.
        """
        return replace(self, cluster=replace(self.cluster, artifacts=artifacts, is_over=is_over))

    @property
    def plan(self) -> Plan:
        """The settings of the driver."""
        config = self.config
        budget = config.budget
        return Plan(
            metric=config.metric.name,
            goal=Goal(config.metric.goal),
            seed=config.engine.seed,
            window=window_of(config),
            budget=Budget(
                n_trials=budget.n_trials,
                timeout=budget.timeout,
                max_failures=budget.max_failures,
                patience=budget.patience,
                target=config.metric.target,
            ),
            others=dict(list(config.goals.items())[1:]),
            learns=learns(config),
        )

    @property
    def keep(self) -> int | None:
        """How many models stay: None for all."""
        top = self.config.registration.top if self.config.registration else 1
        return {"all": None, "none": 0, "best": top}[self.config.tracker.log_models]

    def sampler(self, known: Sequence[KnownTrial] = ()) -> Sampler:
        """A fresh sampler, told `known` trials of earlier sweeps; EngineError where it cannot serve the space."""
        engine, plan = self.config.engine, self.plan
        sampler = make_sampler(
            engine.name,
            engine.sampler,
            self.space,
            seed=engine.seed,
            goal=plan.goal,
            window=plan.window,
            options=engine.options,
            others=tuple(plan.others.values()),
        )
        sampler = constrained(sampler, self.config, self.space)
        start = start_of(self.config)
        tell_known(sampler, known, before=len(start) + (plan.window or 0))
        if not start:
            return sampler
        may_run = allows(constraints_of(self.config))
        once = engine.sampler == "grid"
        return StartedSampler(sampler, self.space, start, seed=engine.seed, once=once, allows=may_run)

    def pruner(self) -> Pruner | None:
        """A fresh pruner, None where trials are not stopped early; EngineError where its options are wrong."""
        pruner, plan = self.config.pruner, self.plan
        if pruner is None:
            return None
        options = {**self._steps_of_resource(pruner.name), **pruner.options}
        return make_pruner(pruner.name, goal=plan.goal, seed=plan.seed, window=plan.window, options=options)

    def _steps_of_resource(self, pruner: str) -> Mapping[str, int]:
        """The options by which halving decides just at the steps that trials report, where a resource grows."""
        resource = self.config.objective.sklearn.resource if self.config.objective.sklearn else None
        if resource is None or pruner not in ("asha", "hyperband"):
            return {}
        scale = 1 if resource.param else 100
        options = {"min_resource": round(resource.min * scale), "reduction_factor": resource.factor}
        return {**options, "max_resource": round(resource.most * scale)} if pruner == "hyperband" else options

    def executor(self, files: TrialFiles, scratch: Path, results: ResultFolder | None = None) -> Executor:
        """Workers for the trials of the search; `results` is where they write down how trials ended."""
        return self._for_trials(files, scratch, results, self._replication, self.early)

    def executor_of_replicates(self, files: TrialFiles, scratch: Path) -> Executor:
        """Workers that run the point of a trial once."""
        return self._for_trials(files, scratch, None, None)

    def _for_trials(
        self, files: TrialFiles, scratch: Path, results: ResultFolder | None, replication: Replication | None,
        early: EarlyWorkers | None = None,
    ) -> Executor:  # fmt: skip
        limits = Limits(self.config.objective.timeout, self.config.objective.memory)
        metric = self.config.metric.name
        return self._executor(
            self.objective, metric, files, scratch, limits, results, self._surroundings, replication=replication,
            early=early,
        )  # fmt: skip

    @property
    def _surroundings(self) -> Surroundings | None:
        """What is done around each trial of the search."""
        wanted = self.config.capture.system_metrics
        return SystemMetrics(wanted.interval, self.surroundings) if wanted else self.surroundings

    @property
    def replicate_count(self) -> int:
        """How many runs of its point lie below each trial of the search."""
        return self.config.replicates.seeds if self.config.replicates else 0

    @property
    def _replication(self) -> Replication | None:
        """How often each trial runs its point; None for once."""
        wanted = self.config.replicates
        if wanted is None:
            return None
        return Replication(wanted.seeds, wanted.aggregate, wanted.margin, each=is_paired(self.config))

    def test_executor(self, scratch: Path, models: Mapping[int, ModelSource]) -> Executor:
        """Workers that judge finalists on the held-out test data; `models` holds those that are judged as they are."""
        if self.held_out is None:
            raise ConfigError("there is no test data to judge by")
        judging = HeldOutScore(self.held_out, models)
        return self._executor(judging, f"test_{self.config.decisive}", None, scratch)

    @property
    def refits(self) -> bool:
        """Whether test data judges what a trial's params give again, and not its kept model."""
        return hasattr(self.held_out, "score_test")

    def _executor(
        self,
        objective: Objective,
        metric: str,
        files: TrialFiles | None,
        scratch: Path,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        results: ResultFolder | None = None,
        surroundings: Surroundings | None = None,
        *,
        replication: Replication | None = None,
        early: EarlyWorkers | None = None,
    ) -> Executor:
        parallel = self.config.parallel
        return make_executor(
            parallel.backend,
            slots=slot_count(parallel),
            objective=SecretKeeping(objective, self.secrets) if self.secrets else objective,
            metric=metric,
            goal=self.config.goals[self.config.metric.name if objective is self.objective else self.config.decisive],
            files=SecretKeepingFiles(files, self.secrets) if files else None,
            scratch=scratch,
            inner_threads=parallel.inner_threads,
            search_path=self.search_path,
            limits=limits,
            results=results,
            asks=self.config.pruner is not None and objective is self.objective,
            surroundings=surroundings,
            others=self.plan.others if objective is self.objective else None,
            replication=replication,
            share=share_of(parallel),
            source=early.take() if early else None,
            cluster=self._cluster,
        )

    def check_slots(self) -> None:
        """Raises where no trial could run: devices that this machine has not, a cluster that cannot be reached."""
        parallel = self.config.parallel
        slot_count(parallel)
        if parallel.is_cluster:
            check_reachable(parallel.backend, self._cluster)

    @property
    def _cluster(self) -> Cluster:
        parallel = self.config.parallel
        return replace(
            self.cluster,
            address=parallel.address,
            listen=parallel.listen,
            register=parallel.registering,
            patience=retry_seconds(self.config.tracker.retry_for, os.environ),
        )


def parts_of(config: SweepConfig, *folders: Path) -> Parts:
    """The parts of a sweep file; what it names is found from these folders, first the file's own, and the current one.

    Imports what the file names. ObjectiveError or EngineError where it cannot be run as it is.
    """
    search_path = list(dict.fromkeys([*(str(folder.resolve()) for folder in folders), str(Path.cwd())]))
    sys.path[:] = [*search_path, *(entry for entry in sys.path if entry not in search_path)]
    secrets = secrets_of(config, os.environ)
    remember(secrets)
    _check_gates(config)
    measured = measuring(config, space_of(config), folders, search_path)
    judge = judge_of(config, measured.held_out, search_path)
    space = space_of(without_secrets(config))
    datasets = [without_secrets_in(data, secrets) for data in measured.datasets]
    return Parts(config, space, measured.objective, judge, datasets, search_path, secrets)


def _check_gates(config: SweepConfig) -> None:
    """ConfigError for a gate that cannot be understood, which would otherwise be found out after the search."""
    for finding in when_findings(config):
        raise ConfigError(f"{'.'.join(map(str, finding.at))}: {finding.message}")


def places(config: SweepConfig, environment: Mapping[str, str], given: str | None = None) -> Places:
    """Where a sweep is kept and mirrored: as given, else the file's `tracker.uri`, else $HPO_TRACKER, else
    $MLFLOW_TRACKING_URI, else mlflow.db here; the file's mirrors come on top."""
    named = [given, config.tracker.uri, *(environment.get(name) for name in URI_VARIABLES)]
    return places_of(named, config.tracker.mirror)
