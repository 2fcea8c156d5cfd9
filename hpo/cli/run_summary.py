"""What `hpo run` says at the end: the winner, what was registered and why, the next commands."""

import shlex
from collections.abc import Mapping, Sequence
from functools import partial

from hpo.budget import Stop
from hpo.cli.front_view import front_object, front_text
from hpo.cli.text import hide_passwords, one_line
from hpo.cli.trial_line import params_text
from hpo.cli.trial_rows import trial_object
from hpo.decision import Decision, as_fields
from hpo.gates import Verdict
from hpo.result import SweepResult
from hpo.standing import ENDED
from hpo.trial import Goal, State
from hpo.version_object import version_object
from trackers.records import ModelVersion, Run

_WHY = {
    Stop.N_TRIALS: "",
    Stop.EXHAUSTED: "; the space has no more points than these",
    Stop.INTERRUPTED: "; interrupted",
}
"""What the first line says of why a sweep ended; for the other reasons their names."""


def summary_text(result: SweepResult) -> str:
    """A few lines for people."""
    counts, name = result.counts(), shlex.quote(result.name)
    best = result.best_runs(1)
    lines = [_head(result)]
    if any(counts.get(state) for state in ENDED):
        lines += [_reached(result, best), *last_lines(result.registered, result.not_registered, result.decision)]
    if best or result.is_judged:
        lines.append(f"next: hpo best {name}")
    elif counts.get(State.FAILED):
        lines.append(f"next: hpo trials {name} --state failed; hpo logs {name}#NUMBER")
    lines.append(f"      mlflow server --backend-store-uri {hide_passwords(result.uri)}")
    return "\n".join(one_line(line) for line in lines)


def summary_data(result: SweepResult) -> dict[str, object]:
    """The same for programs."""
    front = result.front() if result.others else None
    best = [] if front else result.best_runs(1)
    several = {"metrics": {name: goal.value for name, goal in result.goals.items()}}
    return {
        "sweep": result.name,
        "run_id": result.run_id,
        "metric": result.metric,
        "goal": result.goal.value,
        **(several if front else {}),
        "stopped_by": result.stop.value if result.stop else None,
        "trials": dict(result.counts()),
        "best": trial_object(best[0], result.metric) if best else None,
        **({"front": front_object(front)} if front else {}),
        "registered": version_object(result.registered),
        "not_registered": result.not_registered or None,
        "promotion": decision_object(result.decision),
    }


def _head(result: SweepResult) -> str:
    told = _trials(result.counts())
    if result.stop is None:
        return f"sweep {result.name} is complete, nothing was run: {told or 'it has no trials'}; --new runs it again"
    why = _WHY.get(result.stop, f"; stopped by {result.stop}")
    return f"sweep {result.name}: {told or 'no trial was run'}{why}"


def _trials(counts: Mapping[str, int]) -> str:
    """How many trials there are by state; '' for none."""
    total, states = sum(counts.values()), ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{total} trial{'' if total == 1 else 's'} ({states})" if total else ""


def last_lines(version: ModelVersion | None, why_not: str, decision: Decision | None) -> list[str]:
    """What was registered and what each gate said of it, or which one refused and by how much."""
    verdicts = decision.verdicts if decision else ()
    if version is None:
        is_refused = decision is not None and decision.refused is not None
        first = f"not registered: {why_not}" if is_refused else f"nothing registered: {why_not}"
    else:
        first = _registered(version, verdicts)
    said = {"better_than"} if version and _beaten(verdicts) else set()
    told = [f"  gate {v.gate}: {v.text}" for v in verdicts if v.passed and v.gate not in said]
    return [first, *([_how_picked(decision)] if decision and decision.picked_by else []), *told]


def decision_object(decision: Decision | None) -> dict[str, object] | None:
    """The same for programs."""
    if decision is None:
        return None
    refused = decision.refused
    return {
        "winner": decision.winner,
        "picked_by": decision.picked_by or None,
        "candidates": decision.candidates,
        "gates": [as_fields(verdict) for verdict in decision.verdicts],
        "out": [as_fields(verdict) for verdict in decision.fallen],
        "refused": refused.gate if refused else None,
    }


def _registered(version: ModelVersion, verdicts: Sequence[Verdict]) -> str:
    beaten = _beaten(verdicts)
    alias = f", alias {', '.join(version.aliases)}" if version.aliases else ""
    number = version.tags.get("hpo.trial")
    what = f"registered {version.name} version {version.version}{alias}: trial {number}"
    why = f": {beaten.text}" if beaten else ""
    return f"{what} (models:/{version.name}/{version.version}){why}"


def _beaten(verdicts: Sequence[Verdict]) -> Verdict | None:
    return next((verdict for verdict in verdicts if verdict.gate == "better_than" and verdict.passed), None)


def _how_picked(decision: Decision) -> str:
    number, others = decision.candidates, "which no trial saw"
    by = f"{decision.picked_by}, {others}" if "test data" in decision.picked_by else decision.picked_by
    return f"  trial {decision.winner}: the best of {number} finalist{'' if number == 1 else 's'} by {by}"


def _reached(result: SweepResult, best: Sequence[Run]) -> str:
    """The best trial, or the front and the best in each metric."""
    if not result.others:
        return _winner(result, best[0]) if best else result.why_none
    front = result.front()
    if not front.members:
        return f"no trial has finite values of {', '.join(result.goals)}"
    ends = {name: min(front.members, key=partial(_loss, name, goal)) for name, goal in result.goals.items()}
    reached = [f"{name} {run.metrics[name]:.6g} by {_name(run)}" for name, run in ends.items()]
    return f"{front_text(front)}; best {', '.join(reached)}"


def _loss(name: str, goal: Goal, run: Run) -> float:
    return run.metrics[name] if goal is Goal.MINIMIZE else -run.metrics[name]


def _name(run: Run) -> str:
    return f"trial {run.trial.number}" if run.trial else run.name


def _winner(result: SweepResult, run: Run) -> str:
    value = run.metrics[result.metric]
    return f"best {result.metric} {value:.6g} by {_name(run)}: {params_text((run.trial or run).params)}"
