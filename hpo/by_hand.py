"""Registering what somebody names: a sweep by the gates of its file, or one trial whatever they say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpo.champion import Comparing
from hpo.config.schema import Registration, SweepConfig
from hpo.constraints_on_record import is_measured
from hpo.decision import DECISION_TAG, Decision
from hpo.drive import Drive, Wishes
from hpo.errors import HpoError
from hpo.gates import Verdict, judge_feasible, judge_seeds, judge_test, judge_when, number_of
from hpo.interruption import Interruption
from hpo.last_step import LastStep
from hpo.on_record import parts_on_record
from hpo.promotion import Promotion, promote
from hpo.recorded_config import read_back
from hpo.replicates import SEEDS_TAG
from trackers.artifacts import ArtifactFolder
from trackers.opening import Store
from trackers.records import ModelVersion, Run


@dataclass(frozen=True)
class ByHand:
    """Who registers and why, under which name and alias; None: as the sweep's file has it, for a trial no alias."""

    who: str
    name: str | None = None
    alias: str | None = None
    why: str = ""

    @property
    def overrides(self) -> Sequence[str]:
        """The same as changes of a sweep file."""
        named = {"register.name": self.name, "register.alias": self.alias}
        return [f"{key}={value}" for key, value in named.items() if value is not None]


def has_gates(sweep: Run) -> bool:
    """Whether the file of a sweep on record says what is to be registered; False for a run that is none of ours."""
    config = _config(sweep)
    return config is not None and config.registration is not None


def register_sweep(store: Store, sweep: Run, by_hand: ByHand, interruption: Interruption) -> LastStep:
    """What the gates of the sweep's own file say now, whatever they said before. BrokenOff where it is to end."""
    parts, folder = parts_on_record(sweep, by_hand.overrides)
    wishes = Wishes(interruption=interruption)
    return Drive(store, parts.beside(store.uri), wishes, None, folder).register(sweep).last


def register_trial(store: Store, run: Run, what: str, by_hand: ByHand) -> tuple[ModelVersion, Sequence[Verdict]]:
    """The version made of one trial, and what the gates of its sweep's file say by what is on record of it.

    Nothing is run or judged for it. The verdicts go onto the version too, so nobody takes it for one that passed.
    """
    sweep = store.tracker.get(run.parent_id) if run.parent_id else run
    config = _config(sweep)
    wanted = config.registration if config else None
    name = by_hand.name or (wanted.name if wanted else sweep.name)
    verdicts = list(_unasked(store, run, sweep, config, wanted, name)) if config and wanted else []
    failed = ", ".join(verdict.gate for verdict in verdicts if not verdict.passed)
    why = by_hand.why or f"registered by hand: {what}"
    promotion = Promotion(
        run,
        name,
        by_hand.who,
        by_hand.alias,
        why + (f"; gates not passed: {failed}" if failed else ""),
        verdicts=verdicts,
    )
    version = promote(promotion, tracker=store.tracker, registry=store.registry, verify=ArtifactFolder().verify)
    return version, verdicts


def _config(sweep: Run) -> SweepConfig | None:
    try:
        return read_back(sweep)
    except HpoError:  # none of ours, or written by another version of this program
        return None


def _unasked(
    store: Store, run: Run, sweep: Run, config: SweepConfig, wanted: Registration, name: str
) -> Iterator[Verdict]:
    """What the gates would say, as far as the record tells; one that was never asked is not passed."""
    metric, number = config.decisive, number_of(run)
    if is_measured(sweep.sweep):
        yield judge_feasible(run)
    if wanted.when is not None:
        yield judge_when(wanted.when, run)
    if wanted.seeds is not None:
        known = run.tags.get(SEEDS_TAG) == str(wanted.seeds) and f"seeds_mean_{metric}" in run.metrics
        yield judge_seeds(run, metric, wanted.seeds, "" if known else "it was not run again with other seeds")
    sklearn = config.objective.sklearn
    if wanted.test is not False and (isinstance(wanted.test, str) or (sklearn and sklearn.data.test is not None)):
        known = f"test_{metric}" in run.metrics
        yield judge_test(run, metric, "" if known else "it was not judged on it")
    if wanted.better_than is not None:
        comparing = Comparing(name, wanted.better_than, metric, config.goals[metric], wanted.margin)
        holder = comparing.find(store.registry)
        decision = Decision.from_json(sweep.tags.get(DECISION_TAG, ""))
        said = [v for v in decision.verdicts if v.gate == "better_than" and v.trial == number] if decision else []
        if holder is None:
            yield comparing.without_holder(run)
        elif holder.run_id != run.id:
            yield said[0] if said else comparing.not_comparable(run, holder, "it was not compared by hand")
