"""`hpo db`: upgrade a store's database to the installed MLflow's revision, or write it down for MLflow 2."""

import logging
from pathlib import Path

import click

from hpo.cli import options
from hpo.cli.options import Shared
from trackers.upgraded import Backup, Upgraded

log = logging.getLogger(__name__)
FORMS = ("mlflow2",)


@click.group("db")
def command() -> None:
    """Upgrade a store's database, or write it in the form of an older MLflow."""


@command.command("upgrade")
@click.option("--no-backup", is_flag=True, help="Make no backup; needed where pg_dump is missing.")
@options.shared
def upgrade(shared: Shared, *, no_backup: bool) -> None:
    """Bring the database to the revision of the MLflow that is installed; MLflow itself does it.

    A sweep never needs this, and MLflow's own tools may. A SQLite file with sweeps that takes more room than a new one
    would is laid out as those are. A backup is made first: FILE.REVISION.TIME.bak beside a SQLite file,
    DATABASE.REVISION.TIME.dump by pg_dump here for PostgreSQL. Where anything goes wrong the database stays as it was.
    Refused (exit 5) while a sweep is running in it.
    """
    from hpo.cli import output
    from hpo.cli.stores import require_store
    from hpo.live_sweeps import check_none_is_driven
    from trackers.opening import open_store
    from trackers.sql import mlflow_revisions
    from trackers.upgrade import upgrade_store

    require_store(shared)
    with open_store(shared.tracker, read_only=True) as store:
        check_none_is_driven(store)
    log.info("MLflow here works with revision %s", mlflow_revisions.head() or "none: it is not installed")
    done = upgrade_store(shared.tracker, backup=Backup.NONE if no_backup else Backup.MUST, compact=True)
    if shared.format != "table":
        sizes = dict(zip(("before", "after"), done.sizes, strict=True)) if done.sizes else None
        told = {"from": done.before, "to": done.after, "backup": done.backup or None, "bytes": sizes}
        output.show_data(told, shared)
    else:
        output.write(_said(done), shared)


def _said(done: Upgraded) -> str:
    is_behind = done.before != done.after
    if not is_behind and done.sizes is None:
        return f"{done.database} is at revision {done.after} already; nothing to do"
    what = f"upgraded {done.database} from revision {done.before} to {done.after}" if is_behind else done.database
    smaller = "{1:.1f} MB instead of {0:.1f}".format(*(size / 1e6 for size in done.sizes)) if done.sizes else ""
    takes = f"{', which' if is_behind else ''} takes {smaller}" if smaller else ""
    return f"{what}{takes}{f'; backup: {done.backup}' if done.backup else ''}"


@command.command("export")
@click.option("--to", "form", type=click.Choice(FORMS), required=True, help="mlflow2: as MLflow 2.22 reads it.")
@click.option(
    "--models",
    "models",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Copy the registered models there as pickles, which MLflow 2 needs to load them.",
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@options.shared
def export(shared: Shared, *, form: str, models: Path | None, file: Path) -> None:  # noqa: ARG001  # there is one form
    """Write the store into a new SQLite FILE in the form of MLflow 2.22; what has no place there is named."""
    from hpo.cli import output
    from hpo.cli.stores import require_store
    from trackers.mlflow2_export import export_for_mlflow2

    require_store(shared)
    done = export_for_mlflow2(shared.tracker, file.absolute(), models.absolute() if models else None)
    for line in done.left_out:
        log.warning("left out: %s", line)
    for line in done.notes:
        log.warning("%s", line)
    if shared.format != "table":
        output.show_data({"file": str(done.file), "rows": dict(done.rows), "left_out": list(done.left_out)}, shared)
    else:
        counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in done.rows.items() if count)
        output.write(f"wrote {done.file}: {counts}", shared)
