"""From a ranked trial to a registered model version, with its lineage."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hpo.decision import GATES_TAG, as_fields
from hpo.errors import HpoError, NothingFound
from hpo.front_on_record import goals_of
from hpo.gates import Verdict
from hpo.provenance.environment import ENVIRONMENT_TAG, PYTHON_TAG
from hpo.replicates import SEEDS_TAG
from trackers.records import Artifact, Fence, LoggedModel, ModelVersion, NewVersion, Run
from trackers.registry import Registry
from trackers.tracker import Tracker

Verify = Callable[[str, Sequence[Artifact]], Sequence[str]]
"""Given a run's artifact URI and files of its manifest, the paths of those that are missing or altered."""

LINEAGE = (
    "mlflow.source.git.commit",
    "hpo.git.dirty",
    "hpo.data.train",
    "hpo.data.test",
    "hpo.data.inputs",
    "hpo.config_hash",
    PYTHON_TAG,
    ENVIRONMENT_TAG,
)
"""The parent run's tags that a version repeats, so that it can be traced without the store's other tables."""


@dataclass(frozen=True)
class Promotion:
    """What is asked for: which run goes under which name, pointed to by which alias, by whom and why.

    `verdicts` are what the gates said; `expected` what the aliases must still point to (see `NewVersion`). `note` is
    put below the description that is made from the facts on record.
    """

    run: Run
    name: str
    who: str
    alias: str | None = None
    why: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    stage: str | None = None
    expected: Mapping[str, int | None] = field(default_factory=dict)
    verdicts: Sequence[Verdict] = ()
    fence: Fence | None = None


def promote(promotion: Promotion, *, tracker: Tracker, registry: Registry, verify: Verify) -> ModelVersion:
    """The registered version of a run's model; the same run again gives the same version.

    Raises NothingFound where the run keeps no model, HpoError where a file of the model is missing or altered,
    FencedOff where the driver that `fence` belongs to was taken over, AliasMoved where an alias is not what was
    expected; then nothing was registered.
    """
    run = promotion.run
    model = model_of(run)
    files = _checked_files(run, model, tracker, verify)
    sweep = tracker.get(run.parent_id) if run.parent_id else None
    attempt = run.trial.attempt if run.trial else 1
    version = registry.register(
        NewVersion(
            name=promotion.name,
            source=model.uri,
            run_id=run.id,
            key=f"{promotion.name}:{run.id}:{attempt}",
            model_id=model.model_id or None,
            description=describe(run, sweep, promotion.verdicts, promotion.note),
            tags={**lineage(run, sweep), **_gate_tags(promotion.verdicts), **promotion.tags},
            stage=promotion.stage,
            expected=promotion.expected,
            aliases=(promotion.alias,) if promotion.alias else (),
            who=promotion.who,
            why=promotion.why,
            files=files,
            fence=promotion.fence,
        )
    )
    if promotion.alias and promotion.alias not in version.aliases:  # registered before, without this alias and by hand
        registry.set_alias(promotion.name, promotion.alias, version.version, who=promotion.who, why=promotion.why)
        version = registry.get(promotion.name, version.version)
    if promotion.stage and promotion.stage != version.stage:
        name, number = promotion.name, version.version
        registry.set_stage(name, number, promotion.stage, who=promotion.who, why=promotion.why)
        version = registry.get(name, number)
    return version


def model_of(run: Run) -> LoggedModel:
    """The model that a run keeps: one of ours before those MLflow logged, the one named model, else the first."""
    if not run.models:
        raise NothingFound(
            f"{label(run)} keeps no model, so there is nothing to register; a sweep keeps the models of its best "
            "trials with `tracker: {log_models: best}`, a Python objective also has to call trial.log_model(model)"
        )
    return min(run.models, key=lambda model: (not model.path, model.name != "model"))


def label(run: Run) -> str:
    """How messages name a run."""
    return f"trial {run.trial.number} ({run.id[:8]})" if run.trial else f"run {run.name} ({run.id[:8]})"


def describe(run: Run, sweep: Run | None, verdicts: Sequence[Verdict] = (), note: str = "") -> str:
    """The version's description, made from the facts on record and what the gates said, and the note below them."""
    facts = sweep.sweep if sweep else None
    lines = [f"{label(run)[0].upper()}{label(run)[1:]}" + (f" of sweep {sweep.name}." if sweep else ".")]
    goals = goals_of(facts) if facts else {}
    values = [f"{name} {run.metrics[name]:.6g}" for name in goals if name in run.metrics]
    if values:
        lines.append(f"{', '.join(values)} by validation ({', '.join(goals.values())}).")
    if len(goals) > 1:
        lines.append("Its sweep was searched by several metrics, so no single trial is the best one of it.")
    tests = [f"{name} {value:.6g}" for name, value in run.metrics.items() if name.startswith("test_")]
    if tests:
        lines.append(f"Held-out test data: {', '.join(tests)}.")
    params = (run.trial or run).params  # without those that MLflow logged beside them
    if params:
        lines.append("Parameters: " + ", ".join(f"{name}={value}" for name, value in params.items()) + ".")
    lines += [
        f"Gate {verdict.gate} {'passed' if verdict.passed else 'not passed'}: {verdict.text}." for verdict in verdicts
    ]
    text = "\n".join([*lines, note] if note else lines)
    return text if len(text) <= 5000 else text[:4985] + " ... (cut short)"


def lineage(run: Run, sweep: Run | None) -> dict[str, str]:
    """Tags that lead from a version back to its sweep, trial, space, data, code and environment."""
    tags = {"hpo.run_id": run.id}
    if run.trial:
        tags |= {"hpo.trial": str(run.trial.number), "hpo.seed": str(run.trial.seed)}
    if SEEDS_TAG in run.tags:
        tags[SEEDS_TAG] = run.tags[SEEDS_TAG]
    if sweep:
        tags |= {"hpo.sweep": sweep.name, "hpo.sweep_run_id": sweep.id}
        tags |= {name: sweep.tags[name] for name in LINEAGE if name in sweep.tags}
    if sweep and sweep.sweep:
        tags["hpo.sweep_seed"] = str(sweep.sweep.seed)
        tags |= {"hpo.space_hash": digest} if (digest := space_hash(sweep.sweep.config)) else {}
    tags |= {f"hpo.metric.{name}": repr(value) for name, value in run.metrics.items()}
    return {name[:250]: value for name, value in tags.items()}


def space_hash(config: str) -> str:
    """The sha256, in hex, of the parameters in a sweep's recorded configuration; '' where it holds none."""
    try:
        parameters = json.loads(config)["parameters"]
    except (ValueError, KeyError, TypeError):
        return ""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


def _gate_tags(verdicts: Sequence[Verdict]) -> dict[str, str]:
    return {GATES_TAG: json.dumps([as_fields(verdict) for verdict in verdicts])} if verdicts else {}


def _checked_files(run: Run, model: LoggedModel, tracker: Tracker, verify: Verify) -> Sequence[Artifact]:
    """The model's files by the manifest; refuses a model whose files are not what it says.

    A run that is not ours has no manifest, so of its model nothing is known.
    """
    if not model.path:
        return ()
    files = [artifact for artifact in tracker.artifacts(run.id) if artifact.path.startswith(f"{model.path}/")]
    spoiled = verify(run.artifact_uri, files) if files else [f"{model.path}/MLmodel"]
    if spoiled:
        raise HpoError(
            f"{label(run)}: of its model {', '.join(spoiled)} is missing or altered below {run.artifact_uri}, so it "
            "was not registered; register another trial, or run this one again"
        )
    return files
