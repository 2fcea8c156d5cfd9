"""Imports point down only, and heavy libraries stay inside the one file that wraps them (docs/architecture.md)."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HPO_LAYERS = [
    (
        "hpo.errors",
        "hpo.masking",
        "hpo.places",
        "hpo.space",
        "hpo.trial",
        "hpo.front",
        "hpo.expressions",
        "hpo.constraints",
    ),
    (
        "hpo.sampler",
        "hpo.pruner",
        "hpo.option",
        "hpo.quiet_optuna",
        "hpo.objective",
        "hpo.executor",
        "hpo.live_trial",
        "hpo.attempt",
        "hpo.autolog",
        "hpo.replication",
        "hpo.gathered",
        "hpo.failure_text",
        "hpo.plain",
        "hpo.processes",
        "hpo.placeholders",
        "hpo.scratch",
        "hpo.search_path",
        "hpo.secret_keeping",
        "hpo.system_metrics",
        "hpo.gpu_metrics",
        "hpo.worker_variables",
    ),
    ("hpo.samplers", "hpo.pruners", "hpo.executors", "hpo.objectives", "hpo.config", "hpo.provenance"),
    (
        "hpo.budget",
        "hpo.window",
        "hpo.idle_slots",
        "hpo.progress",
        "hpo.kept_models",
        "hpo.constraints_on_record",
        "hpo.sweep_records",
        "hpo.data_record",
        "hpo.data_changes",
        "hpo.pruning",
        "hpo.duplicates",
        "hpo.outdated_replicates",
        "hpo.plan",
        "hpo.run_ids",
        "hpo.tally",
        "hpo.watcher",
        "hpo.sweep",
        "hpo.ranking",
        "hpo.picking",
        "hpo.front_on_record",
        "hpo.trials_table",
        "hpo.trials_parquet",
        "hpo.promotion",
        "hpo.gates",
        "hpo.decision",
        "hpo.champion",
        "hpo.carrying_out",
        "hpo.replicates",
        "hpo.latest_points",
        "hpo.branches",
        "hpo.importance_columns",
        "hpo.importance_rules",
        "hpo.naming",
        "hpo.interruption",
        "hpo.losses",
        "hpo.driver",
        "hpo.lease",
        "hpo.spool",
        "hpo.repeating",
        "hpo.patient_tracker",
        "hpo.patient_registry",
        "hpo.ownership",
        "hpo.standing",
        "hpo.model_history",
        "hpo.alias_moves",
        "hpo.version_object",
        "hpo.annotating",
        "hpo.difference",
        "hpo.reclaim",
        "hpo.fork",
        "hpo.warm_start",
        "hpo.drawing",
        "hpo.plots",
        "hpo.course",
        "hpo.live_sweeps",
    ),
    (
        "hpo.build_objective",
        "hpo.sweep_inputs",
        "hpo.used_data",
        "hpo.build",
        "hpo.slots_here",
        "hpo.early_workers",
        "hpo.feasibility",
        "hpo.patience",
        "hpo.search",
        "hpo.meaning",
        "hpo.drive",
        "hpo.left_behind",
        "hpo.artifact_root",
        "hpo.result_place",
        "hpo.deletion",
        "hpo.erasure",
        "hpo.stopping",
        "hpo.recorded_config",
        "hpo.result",
        "hpo.pipeline",
        "hpo.report",
        "hpo.views",
        "hpo.trial_files",
        "hpo.mlflow_in_trials",
        "hpo.mlflow_hook",
        "hpo.model_loading",
        "hpo.registering",
        "hpo.winner",
        "hpo.picked",
        "hpo.judging",
        "hpo.stored_model",
        "hpo.last_step",
        "hpo.on_record",
        "hpo.by_hand",
        "hpo.importance",
        "hpo.settings_on_record",
        "hpo.recorded_name",
        "hpo.pairs",
        "hpo.on_both_sides",
        "hpo.trial_diff",
        "hpo.sweep_compare",
        "hpo.comparison_plot",
        "hpo.parent_run",
        "hpo.captures",
        "hpo.capturing",
        "hpo.mirrors",
        "hpo.replaying",
        "hpo",
    ),
    ("hpo.cli", "hpo.web", "hpo.flows", "scripts"),
]
TRACKER_LAYERS = [
    ("trackers.errors", "trackers.failpoints", "trackers.records", "trackers.upgraded"),
    ("trackers.tracker", "trackers.registry", "trackers.ownership", "trackers.outbox", "trackers.watching"),
    (
        "trackers.memory_run",
        "trackers.memory_search",
        "trackers.memory_tracker",
        "trackers.memory_registry",
        "trackers.memory_ownership",
        "trackers.memory_datasets",
        "trackers.memory_watching",
        "trackers.sql",
        "trackers.artifacts",
        "trackers.models",
        "trackers.model_example",
        "trackers.model_folder",
        "trackers.skops_trust",
        "trackers.registry_rules",
        "trackers.registry_log",
        "trackers.rows",
        "trackers.checks",
        "trackers.filters",
        "trackers.conditions",
        "trackers.change_text",
        "trackers.garbage",
        "trackers.remote_garbage",
        "trackers.run_folder",
        "trackers.matching",
        "trackers.mlflow2_model",
        "trackers.mirror_view",
        "trackers.mirror_known",
        "trackers.mirror_marks",
        "trackers.side_by_side",
        "trackers.mirror_sender",
        "trackers.mirror_versions",
        "trackers.mirroring",
        "trackers.mlflow_asking",
        "trackers.mlflow_mirror",
        "trackers.mlflow_registry",
    ),
    ("trackers.opening", "trackers.upgrade", "trackers.mlflow2_export"),
]
OWN_SIBLINGS = ("hpo.samplers", "hpo.pruners", "hpo.executors", "hpo.objectives", "hpo.config", "hpo.provenance")
SURFACES = ("hpo.cli", "hpo.web", "hpo.flows")
WORDS_OF_THE_COMMAND = {"hpo.cli.text", "hpo.cli.trial_line", "hpo.cli.options", "hpo.cli.main"}
"""Safe text, a trial's line, the names of the loggers, exit codes: the others say the same in the same words."""
MLFLOW_CLIENTS = ("trackers.mlflow_asking", "trackers.mlflow_mirror", "trackers.mlflow_registry")
"""What sends to other servers uses MLflow's client; the store itself does without."""
HEAVY = {"mlflow", "sklearn", "hyperopt", "optuna", "pandas", "skops", "prefect"}


@functools.cache
def modules() -> dict[str, Path]:
    found = {}
    for package in ("hpo", "trackers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = path
    return found


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def layer(name: str, layers: list[tuple[str, ...]]) -> int | None:
    best: tuple[int, int] | None = None
    for height, members in enumerate(layers):
        for member in members:
            if (name == member or name.startswith(member + ".")) and (best is None or len(member) > best[0]):
                best = (len(member), height)
    return best[1] if best else None


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("hpo.")])
def test_every_module_of_hpo_imports_only_downwards(name: str) -> None:
    own = layer(name, HPO_LAYERS)
    assert own is not None, f"{name} stands in no layer"
    for imported in imports(modules()[name]):
        if imported.split(".")[0] == "trackers":
            assert own >= 3, f"{name} (layer {own + 1}) must not know {imported}"
        if imported.startswith("hpo.") and imported in modules():
            assert (layer(imported, HPO_LAYERS) or 0) <= own, f"{name} imports {imported}, which is above it"


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith(("hpo.web", "hpo.flows"))])
def test_page_and_flows_know_of_the_command_at_most_how_it_puts_things(name: str) -> None:
    others = tuple(surface for surface in SURFACES if not name.startswith(surface))
    known = {imported for imported in imports(modules()[name]) if imported in modules() and imported.startswith(others)}
    assert known <= WORDS_OF_THE_COMMAND, f"{name} imports {known - WORDS_OF_THE_COMMAND}"


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith(OWN_SIBLINGS)])
def test_implementations_do_not_know_each_other(name: str) -> None:
    package = ".".join(name.split(".")[:2])
    others = {other for other in OWN_SIBLINGS if other != package}
    assert not [imported for imported in imports(modules()[name]) if imported.startswith(tuple(others))]


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("trackers.")])
def test_every_module_of_trackers_imports_only_downwards_and_never_hpo(name: str) -> None:
    own = layer(name, TRACKER_LAYERS)
    assert own is not None, f"{name} stands in no layer"
    foreign = ("hpo",) if name in MLFLOW_CLIENTS else ("hpo", "mlflow")
    for imported in imports(modules()[name]):
        assert imported.split(".")[0] not in foreign, f"{name} imports {imported}"
        if imported in modules() and imported.startswith("trackers."):
            assert (layer(imported, TRACKER_LAYERS) or 0) <= own, f"{name} imports {imported}, which is above it"


def test_no_module_has_the_name_of_a_library_it_wraps() -> None:
    names = {name.rpartition(".")[2] for name in modules()}
    assert not names & {"optuna", "hyperopt", "sklearn", "mlflow", "joblib", "sqlalchemy", "dask", "ray"}
    assert not (ROOT / "scripts" / "hpo.py").exists()


def test_importing_hpo_loads_nothing_heavy() -> None:
    code = "import sys, hpo; from hpo import run, load; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & {name.split(".")[0] for name in done.stdout.split()}
