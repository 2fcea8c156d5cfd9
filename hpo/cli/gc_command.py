"""`hpo gc`: remove files that no manifest knows."""

import tempfile
from pathlib import Path

import click

from hpo.cli import options
from hpo.cli.options import Shared

COLUMNS = ("path", "bytes", "why")


@click.command("gc")
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@options.shared
def command(shared: Shared, *, yes: bool) -> None:
    """List the files that nobody needs, and remove them with --yes.

    These are files below the artifact folders of this store's sweeps that no manifest lists (a killed upload, a model
    that was let go), and folders of dead drivers among the temporary files. Never touched: registered models, runs
    that MLflow alone wrote, sweeps that are not ended.
    """
    from hpo import scratch
    from hpo.cli import output
    from hpo.cli.formats import Table
    from hpo.cli.stores import open_to_read
    from hpo.cli.text import one_line
    from trackers import garbage

    with open_to_read(shared) as store:
        files = garbage.find_garbage(store.tracker, store.registry)
        folders = scratch.abandoned(Path(tempfile.gettempdir()))
        found = [(str(item.path), item.size, item.why) for item in files]
        found += [(str(folder), scratch.size_of(folder), "its driver is dead") for folder in folders]
        if yes:
            garbage.remove(files)
            scratch.remove(folders)
    rows = [dict(zip(COLUMNS, place, strict=True)) for place in found]
    if shared.format != "table":
        output.show(rows, Table(COLUMNS, rows), shared)
    elif found:  # not a table: it would cut long paths
        output.write("\n".join(f"{size:>12}  {why:<18}  {one_line(path)}" for path, size, why in found), shared)
    total = sum(size for _, size, _ in found)
    if not rows:
        output.message("nothing to remove")
    elif yes:
        output.message(f"removed {_places(len(rows))}, {total} bytes")
    else:
        output.message(f"{_places(len(rows))}, {total} bytes could go; nothing was removed, do it with: hpo gc --yes")


def _places(count: int) -> str:
    return f"{count} place{'s' if count > 1 else ''}"
