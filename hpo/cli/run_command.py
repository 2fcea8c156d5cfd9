"""`hpo run`: run a sweep file, or go on where it stopped."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from hpo.cli import output
from hpo.cli.options import Shared, shared
from hpo.cli.run_summary import summary_data, summary_text

EXIT_NO_RESULT = 1
EXIT_FAILURES = 3


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-n", "--n-trials", metavar="N", help="Trials in all; a larger number continues a complete sweep.")
@click.option("-j", "--n-jobs", metavar="N", help="Trials at once.")
@click.option("--timeout", metavar="TIME", help="How long to start new trials: 90s, 10m, 1h30m.")
@click.option(
    "-S", "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key: -S engine.sampler=random"
)
@click.option("--seed", metavar="N", help="The sweep's seed.")
@click.option("--register", "register_as", metavar="NAME", help="Register the winner under this name.")
@click.option("--new", is_flag=True, help="Run it again beside the sweep on record, as NAME-2.")
@click.option("--dry-run", is_flag=True, help="Check everything, show the first trials, run nothing.")
@shared
def command(
    shared: Shared,
    *,
    file: Path,
    n_trials: str | None,
    n_jobs: str | None,
    timeout: str | None,
    settings: Sequence[str],
    seed: str | None,
    register_as: str | None,
    new: bool,
    dry_run: bool,
) -> None:
    """Run a sweep FILE: search, record every trial, rank, register.

    The same command again continues an unfinished sweep and leaves a complete one alone.
    """
    named = {
        "budget.n_trials": n_trials,
        "parallel.n_jobs": n_jobs,
        "budget.timeout": timeout,
        "engine.seed": seed,
        "register.name": register_as,
    }
    overrides = [*settings, *(f"{key}={value}" for key, value in named.items() if value is not None)]
    if dry_run:
        _show_plan(file, overrides, shared)
    else:
        _run(file, overrides, shared, new=new)


def _run(file: Path, overrides: Sequence[str], shared: Shared, *, new: bool) -> None:
    from hpo.budget import Stop
    from hpo.cli.signals import watched
    from hpo.cli.watchers import display
    from hpo.config.reading import read_sweep
    from hpo.interruption import Interruption
    from hpo.search import run

    config = read_sweep(file, overrides)
    interruption = Interruption()
    shown = display(config.name, config.metric.name, quiet=shared.quiet, color=shared.color)
    tracker = shared.tracker if shared.tracker_from == "--tracker" else None
    again = f"interrupted; nothing on record is lost, go on with: hpo run {file}"
    with watched(interruption) as signals:
        try:
            with shown:
                result = run(
                    file, overrides=overrides, tracker=tracker, new=new, watcher=shown, interruption=interruption
                )
        except KeyboardInterrupt:  # the second signal
            output.message(again)
            sys.exit(signals.exit_code)
    if shared.format == "table":
        output.write(summary_text(result), shared)
    else:
        output.show_data(summary_data(result), shared)
    if result.stop is Stop.INTERRUPTED:
        output.message(again)
        sys.exit(signals.exit_code)
    if result.stop is Stop.FAILURES:
        output.message(
            f"stopped: {config.budget.max_failures} trials failed; see: hpo trials {result.name} --state FAILED"
        )
        sys.exit(EXIT_FAILURES)
    if not result.best_runs(1):
        sys.exit(EXIT_NO_RESULT)


def _show_plan(file: Path, overrides: Sequence[str], shared: Shared) -> None:
    from hpo.build import parts_of
    from hpo.cli.trial_line import params_text
    from hpo.config.reading import read_sweep

    config = read_sweep(file, overrides)
    parts = parts_of(config, file.parent)
    plan = parts.plan
    first = parts.sampler().ask(range(min(plan.window or 1, plan.budget.n_trials, 3)))
    lines = [
        f"{file}: would run {plan.budget.n_trials} trials of sweep {config.name} with {config.engine.name} "
        f"{config.engine.sampler}, seed {plan.seed}; nothing was run",
        *(f"trial {number} would be {params_text(params)}" for number, params in enumerate(first)),
    ]
    output.write("\n".join(lines), shared)
