"""What `hpo run` says at the end: the winner, what was registered and why, the next commands."""

import shlex

from hpo.cli.text import hide_passwords, one_line
from hpo.cli.trial_line import params_text
from hpo.cli.trial_rows import trial_object
from hpo.result import SweepResult
from trackers.records import ModelVersion, Run


def summary_text(result: SweepResult) -> str:
    """A few lines for people."""
    best = result.best_runs(1)
    lines = [_head(result), _winner(result, best[0]) if best else f"no trial has a finite {result.metric}"]
    lines += _registered(result.registered) if result.registered else [f"nothing registered: {result.not_registered}"]
    name = shlex.quote(result.name)
    lines.append(
        f"next: hpo best {name}" if best else f"next: hpo trials {name} --state failed; hpo logs {name}#NUMBER"
    )
    lines.append(f"      mlflow server --backend-store-uri {hide_passwords(result.uri)}")
    return "\n".join(one_line(line) for line in lines)


def summary_data(result: SweepResult) -> dict[str, object]:
    """The same for programs."""
    best = result.best_runs(1)
    version = result.registered
    return {
        "sweep": result.name,
        "run_id": result.run_id,
        "metric": result.metric,
        "goal": result.goal.value,
        "stopped_by": result.stop.value if result.stop else None,
        "trials": dict(result.counts()),
        "best": trial_object(best[0], result.metric) if best else None,
        "registered": {"name": version.name, "version": version.version, "aliases": list(version.aliases)}
        if version
        else None,
        "not_registered": result.not_registered or None,
    }


def _head(result: SweepResult) -> str:
    counts = result.counts()
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    total = sum(counts.values())
    if result.stop is None:
        return f"sweep {result.name} is complete, nothing was run: {total} trials ({told}); --new runs it again"
    why = {"n_trials": "", "exhausted": "; the space has no more points than these"}.get(
        result.stop, f"; stopped by {result.stop}"
    )
    return f"sweep {result.name}: {total} trials ({told}){why}"


def _registered(version: ModelVersion) -> list[str]:
    alias = f", alias {', '.join(version.aliases)}" if version.aliases else ""
    number = version.tags.get("hpo.trial")
    what = f"registered {version.name} version {version.version}{alias}: trial {number}"
    tested = [line for line in version.description.splitlines() if line.startswith("Held-out")]
    chosen = ["  the best of the finalists on the held-out test data, which no trial saw"] if tested else []
    return [f"{what} (models:/{version.name}/{version.version})", *chosen, *(f"  {line}" for line in tested)]


def _winner(result: SweepResult, run: Run) -> str:
    number = f"trial {run.trial.number}" if run.trial else run.name
    return f"best {result.metric} {run.metrics[result.metric]:.6g} by {number}: {params_text(run.params)}"
