"""Taxi pipeline, step 2: one tracked model, to see what a search has to beat (docs/taxi.md)."""

from pathlib import Path

import click

from hpo.cli.script import Script


@click.command(cls=Script)
@click.option("--data", type=click.Path(path_type=Path), default="data/taxi", show_default=True)
@click.option(
    "--param", "params", multiple=True, metavar="KEY=VALUE", help="One of the forest's, as --param max_depth=5."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--name", default="taxi-forest", show_default=True, help="The run's name.")
@click.option("--experiment", default="taxi", show_default=True)
@click.option("--tracker", metavar="URI", help="The tracking database; else as for hpo run.")
def main(data: Path, params: tuple[str, ...], seed: int, name: str, experiment: str, tracker: str | None) -> None:
    """Fits one random forest on train, judges it on validation, and records it."""
    from hpo.config.source import resolve
    from hpo.pipeline.training import train

    pairs = [param.partition("=") for param in params]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise click.BadParameter(f"write it as key=value, such as max_depth=5; got {key!r}", param_hint="--param")
    chosen = {key: resolve(value) for key, _, value in pairs}
    run = train(data, params=chosen, seed=seed, name=name, experiment=experiment, tracker=tracker)
    errors = ", ".join(f"{metric} {value:.4f}" for metric, value in sorted(run.metrics.items(), reverse=True))
    click.echo(f"run {run.name} ({run.id[:8]}): {errors} minutes on validation")


if __name__ == "__main__":
    main()
