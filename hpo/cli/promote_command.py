"""`hpo promote`: point an alias at a version of a model, or move the version to a stage."""

import os

import click

from hpo.cli import options
from hpo.cli.options import Shared


@click.command("promote")
@click.argument("name")
@click.argument("version")
@click.argument("alias", required=False)
@click.option("--stage", metavar="STAGE", help="Move it to a stage: Staging, Production, Archived or None.")
@click.option("--why", default="", metavar="TEXT", help="A reason, kept in the model's history.")
@options.shared
def command(shared: Shared, *, name: str, version: str, alias: str | None, stage: str | None, why: str) -> None:
    """Point ALIAS of model NAME at VERSION (a number, an alias, or latest), or with --stage move it to a stage.

    The files of the version are verified first: where one is missing or altered, nothing moves and the exit code is 1.
    Who held an active stage before is archived. Back again: hpo rollback NAME ALIAS.
    """
    from hpo.alias_moves import Moves
    from hpo.cli.move_view import show_moves
    from hpo.cli.stores import require_store
    from hpo.driver import login_name
    from hpo.mirrors.by_hand import send_model
    from trackers.artifacts import ArtifactFolder
    from trackers.opening import open_store

    if alias is None and stage is None:
        raise click.UsageError("say where to: an ALIAS, as in `hpo promote NAME VERSION champion`, or --stage STAGE")
    require_store(shared)
    done = []
    with open_store(shared.tracker) as store:
        moves = Moves(store.tracker, store.registry, ArtifactFolder().verify, name, login_name(), why)
        if alias is not None:
            done.append(("alias", alias, moves.point(alias, version)))
        if stage is not None:
            done.append(("stage", stage, moves.move(version, stage)))
        show_moves(name, done, shared)
        send_model(store, name, os.environ)
