"""`hpo register`: register the model of a sweep's best trial, or of one trial."""

import getpass

import click

from hpo.cli import output
from hpo.cli.options import Shared, shared


@click.command("register")
@click.argument("what", metavar="SWEEP|SWEEP#N", default="@latest")
@click.option("--name", metavar="NAME", help="The registered model's name; else the sweep's.")
@click.option("--alias", metavar="ALIAS", help="An alias that then points to this version, such as champion.")
@click.option("--metric", metavar="NAME", help="Rank by this metric instead of the sweep's.")
@click.option(
    "--goal", type=click.Choice(["minimize", "maximize"]), help="Which way it is better; else as the sweep's."
)
@click.option("--why", default="", metavar="TEXT", help="A reason, kept in the model's history.")
@shared
def command(
    shared: Shared, *, what: str, name: str | None, alias: str | None, metric: str | None, goal: str | None, why: str
) -> None:
    """Register a trial's model; the same trial again gives the same version."""
    from hpo.cli.stores import require_store
    from hpo.promotion import Promotion, promote
    from hpo.registering import chosen
    from trackers.artifacts import ArtifactFolder
    from trackers.opening import open_store

    require_store(shared)
    with open_store(shared.tracker) as store:
        run, sweep_name = chosen(store.tracker, what, metric=metric, goal=goal)
        version = promote(
            Promotion(run, name or sweep_name, getpass.getuser(), alias, why or f"registered by hand: {what}"),
            tracker=store.tracker,
            registry=store.registry,
            verify=ArtifactFolder().verify,
        )
    if shared.format == "table":
        pointed = f", alias {', '.join(version.aliases)}" if version.aliases else ""
        output.write(f"registered {version.name} version {version.version}{pointed}\n{version.description}", shared)
    else:
        output.show_data({"name": version.name, "version": version.version, "aliases": list(version.aliases)}, shared)
