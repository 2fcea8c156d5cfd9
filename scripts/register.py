"""Taxi pipeline, step 4: the best trials of one sweep meet the test month, the winner is registered (docs/taxi.md)."""

from pathlib import Path
from typing import Literal

import click

from hpo.cli.script import Script


@click.command(cls=Script)
@click.argument("sweep", default="taxi")
@click.option("--name", default="green-taxi-duration", show_default=True, help="The registered model's name.")
@click.option("--data", type=click.Path(path_type=Path), help="The prepared folder; else the one the sweep used.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="How many trials compete.")
@click.option("--by", type=click.Choice(["test", "validation"]), default="test", show_default=True, help="Who decides.")
@click.option("--alias", default="champion", show_default=True, help="Points to the new version; '' for none.")
@click.option("--tracker", metavar="URI", help="The tracking database; else as for hpo run.")
def main(
    sweep: str,
    name: str,
    data: Path | None,
    top: int,
    by: Literal["test", "validation"],
    alias: str,
    tracker: str | None,
) -> None:
    """Scores the best trials of SWEEP (a name or run id) on the test month and registers the winner."""
    from hpo.pipeline.registering import register

    made = register(sweep, name=name, data=data, top=top, by=by, alias=alias or None, tracker=tracker)
    click.echo(f"sweep {made.sweep}, {made.metric} in minutes:")
    for candidate in made.candidates:
        scores = f"validation {candidate.validation:.4f}  test {candidate.test:.4f}"
        same = "" if candidate.exact else "  (refit equal but for rounding)"
        mark = "  <- registered" if candidate is made.winner else ""
        click.echo(f"  trial {candidate.number:>3}  {scores}{same}{mark}")
    version = made.version
    aliases = f", alias {', '.join(version.aliases)}" if version.aliases else ""
    click.echo(
        f"registered {version.name} version {version.version}{aliases} (models:/{version.name}/{version.version})"
    )
    click.echo(version.description)


if __name__ == "__main__":
    main()
