"""`hpo run`: run a sweep file, or go on where it stopped."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from hpo.cli import output
from hpo.cli.importing import importing_fast
from hpo.cli.options import Shared, shared


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("-n", "--n-trials", metavar="N", help="Trials in all; a larger number continues a complete sweep.")
@click.option("-j", "--n-jobs", metavar="N", help="Trials at once.")
@click.option("--timeout", metavar="TIME", help="How long to start new trials: 90s, 10m, 1h30m.")
@click.option(
    "-S", "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key: -S engine.sampler=random"
)
@click.option("--seed", metavar="N", help="The sweep's seed.")
@click.option("--register", "register_as", metavar="NAME", help="Register the winner under this name.")
@click.option("--require-register", is_flag=True, help="Exit 4 where a gate of register: refuses the winner.")
@click.option("--new", is_flag=True, help="Run it again beside the sweep on record, as NAME-2.")
@click.option("--fork", is_flag=True, help="If the file changed: a new sweep that reuses the trials which fit it.")
@click.option(
    "--like", metavar="SWEEP", help="Tell the sampler that sweep first; without FILE run it once more, so told."
)
@click.option("--takeover", is_flag=True, help="Take the sweep from the driver that has it, even if that one is alive.")
@click.option("--dry-run", is_flag=True, help="Check everything, show the first trials, run nothing.")
@shared
def command(
    shared: Shared,
    *,
    file: Path | None,
    n_trials: str | None,
    n_jobs: str | None,
    timeout: str | None,
    settings: Sequence[str],
    seed: str | None,
    register_as: str | None,
    require_register: bool,
    new: bool,
    fork: bool,
    like: str | None,
    takeover: bool,
    dry_run: bool,
) -> None:
    """Run a sweep FILE: search, record every trial, rank, register.

    The same command again continues an unfinished sweep and leaves a complete one alone. -n is the number of trials in
    all. A file that asks for other trials than the sweep on record is refused: see --fork and --new.

    --like SWEEP runs a sweep on record once more, as SWEEP-like, with what -S changes; its sampler is told first what
    SWEEP found. With a FILE that is what is run.
    """
    if file is None and like is None:
        raise click.UsageError("name a sweep FILE, or a sweep on record: --like SWEEP")
    if new and fork:
        raise click.UsageError("--new reuses no trial, --fork those that fit: give one of them")
    named = {
        "budget.n_trials": n_trials,
        "parallel.n_jobs": n_jobs,
        "budget.timeout": timeout,
        "engine.seed": seed,
        "register.name": register_as,
    }
    overrides = [*settings, *(f"{key}={value}" for key, value in named.items() if value is not None)]
    if dry_run:
        _show_plan(file, like, overrides, shared)
    else:
        with importing_fast() as imported:
            _run(file, like, overrides, shared, require_register, imported, new=new, fork=fork, takeover=takeover)


def _run(
    file: Path | None,
    like: str | None,
    overrides: Sequence[str],
    shared: Shared,
    require_register: bool,
    imported: Callable[[], None],
    *,
    new: bool,
    fork: bool,
    takeover: bool,
) -> None:
    from hpo.cli.driving import Driving
    from hpo.meaning import config_meant
    from hpo.search import run

    config, uri = config_meant(file, like, overrides, shared.given)
    if require_register and config.registration is None:
        raise click.UsageError(
            f"--require-register: {file or like} has no register: section, so nothing can be registered"
        )
    metrics = list(config.goals)
    driving = Driving(
        shared, uri, name=config.name, metrics=metrics, require_register=require_register, imported=imported
    )
    driving.drive(
        lambda watcher, interruption, named: run(
            file,
            like=like,
            overrides=overrides,
            tracker=shared.given,
            new=new,
            fork=fork,
            takeover=takeover,
            watcher=watcher,
            interruption=interruption,
            named=named,
        )
    )


def _show_plan(file: Path | None, like: str | None, overrides: Sequence[str], shared: Shared) -> None:
    from hpo.cli.trial_line import params_text
    from hpo.errors import ConfigError
    from hpo.executors.remote.reaching import missing_package
    from hpo.meaning import meant

    parts = meant(file, like, overrides, shared.given).parts
    if missing := missing_package(parts.config.parallel.backend):
        raise ConfigError(missing)
    config, plan = parts.config, parts.plan
    parts.pruner()
    first = parts.sampler().ask(range(min(plan.window or 1, plan.budget.n_trials, 3)))
    lines = [
        f"{file or like}: would run {plan.budget.n_trials} trials of sweep {config.name} with {config.engine.title}, "
        f"seed {plan.seed}; nothing was run",
        *(f"trial {number} would be {params_text(params)}" for number, params in enumerate(first)),
    ]
    output.write("\n".join(lines), shared)
