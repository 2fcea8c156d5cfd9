"""`hpo rollback`: point an alias at the version it pointed to before."""

import os

import click

from hpo.cli import options
from hpo.cli.options import Shared


@click.command("rollback")
@click.argument("name")
@click.argument("alias")
@click.option("--why", default="", metavar="TEXT", help="A reason, kept in the model's history.")
@click.option("--force", is_flag=True, help="Pass over versions that were deleted, and do not verify files.")
@options.shared
def command(shared: Shared, *, name: str, alias: str, why: str, force: bool) -> None:
    """Point ALIAS of model NAME back at the version it pointed to before; again: further back.

    Exit 1 where there is nothing to go back to, and where that version was deleted or a file of it is missing or
    altered. A rollback is itself in the history, and what it took back is not gone back to.
    """
    from hpo.alias_moves import Moves
    from hpo.cli.move_view import show_moves
    from hpo.cli.stores import require_store
    from hpo.driver import login_name
    from hpo.mirrors.by_hand import send_model
    from trackers.artifacts import ArtifactFolder
    from trackers.opening import open_store

    require_store(shared)
    with open_store(shared.tracker) as store:
        moves = Moves(store.tracker, store.registry, ArtifactFolder().verify, name, login_name(), why)
        show_moves(name, [("alias", alias, moves.roll_back(alias, force=force))], shared)
        send_model(store, name, os.environ)
