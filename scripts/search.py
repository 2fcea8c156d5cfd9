"""Taxi pipeline, step 3: a sweep over random forests; the test month stays shut (docs/taxi.md)."""

import sys
from pathlib import Path

import click

from hpo.cli.script import Script


@click.command(cls=Script)
@click.argument("config", type=click.Path(path_type=Path), default="configs/taxi.yaml")
@click.option("--data", type=click.Path(path_type=Path), help="The prepared folder, in place of the file's.")
@click.option("-n", "--n-trials", type=click.IntRange(min=1), help="Trials in all.")
@click.option("-j", "--n-jobs", type=click.IntRange(min=1), help="Trials at once.")
@click.option("-S", "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key of the sweep file.")
@click.option("--new", is_flag=True, help="Run it again beside the sweep on record.")
@click.option("--tracker", metavar="URI", help="The tracking database; else as for hpo run.")
def main(
    config: Path,
    data: Path | None,
    n_trials: int | None,
    n_jobs: int | None,
    settings: tuple[str, ...],
    new: bool,
    tracker: str | None,
) -> None:
    """Runs the sweep of CONFIG, or goes on with it; nothing is registered."""
    from hpo.budget import Stop
    from hpo.cli.run_summary import summary_text
    from hpo.cli.signals import watched
    from hpo.cli.watchers import display
    from hpo.config.reading import read_sweep
    from hpo.interruption import Interruption
    from hpo.pipeline.searching import search

    named = {"budget.n_trials": n_trials, "parallel.n_jobs": n_jobs}
    overrides = [*settings, *(f"{key}={value}" for key, value in named.items() if value is not None)]
    sweep, interruption = read_sweep(config, overrides), Interruption()
    shown = display(sweep.name, sweep.metric.name, quiet=False, color=False)
    with watched(interruption) as signals, shown:
        result = search(
            config,
            data=data,
            overrides=overrides,
            tracker=tracker,
            new=new,
            watcher=shown,
            interruption=interruption,
        )
    click.echo(summary_text(result))
    if signals.first:
        sys.exit(signals.exit_code)
    if result.stop is Stop.FAILURES:
        sys.exit(3)
    sys.exit(0 if result.best_runs(1) else 1)


if __name__ == "__main__":
    main()
