"""`hpo gc`: remove for good what was deleted long enough ago, and files that no manifest knows."""

import logging
import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from hpo.cli import options
from hpo.cli.options import Shared
from hpo.erasure import Erasable
from trackers.opening import Store

log = logging.getLogger(__name__)
COLUMNS = ("path", "bytes", "why")
_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SECONDS = (86_400, 3600, 60, 1)


class _Span(click.ParamType[int]):
    """A span of time such as 30d, 12h or 1d12h; in milliseconds."""

    name = "span"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _SPAN.fullmatch(value.strip())
        if found is None or not any(found.groups()):
            self.fail(f"{value!r} is no span of time; write 30d, 12h, 90m or 1d12h", param, ctx)
        return 1000 * sum(int(part or 0) * size for part, size in zip(found.groups(), _SECONDS, strict=True))


@click.command("gc")
@click.option("--yes", is_flag=True, help="Remove it; without it all is only listed.")
@click.option("--dry-run", is_flag=True, help="Only list, as without --yes.")
@click.option("--older-than", type=_Span(), default="30d", metavar="SPAN", help="Of what was deleted so long ago; 30d.")
@options.shared
def command(shared: Shared, *, yes: bool, dry_run: bool, older_than: int) -> None:
    """List what nobody needs, and remove it for good with --yes.

    These are sweeps and trials that were deleted more than 30 days ago (or --older-than), with rows and files; files
    below the artifact folders of this store's sweeps that no manifest lists (a killed upload, a model that was let go);
    folders of dead drivers among the temporary files. Never touched: what registered models came from, runs that
    MLflow alone wrote, sweeps that are not ended. Killed in between, it is done again from where it stood.
    """
    from hpo import scratch
    from hpo.cli import output
    from hpo.cli.formats import Table
    from hpo.cli.stores import open_to_read, require_store
    from hpo.cli.text import one_line
    from hpo.erasure import find_erasable
    from hpo.result_place import abandoned_results, remove_results
    from trackers import garbage
    from trackers.artifacts import ArtifactFolder
    from trackers.errors import StoreUnavailable
    from trackers.opening import open_store
    from trackers.remote_garbage import find_remote_garbage, remove_remote

    if yes and dry_run:
        raise click.UsageError("--yes removes and --dry-run does not; give one of them")
    require_store(shared)
    before = time.time_ns() // 1_000_000 - older_than
    # only what removes rows has to write
    with open_store(shared.tracker) if yes else open_to_read(shared) as store:
        erasable, kept = find_erasable(store, before), list[str]()
        files = garbage.find_garbage(store.tracker, store.registry)
        objects, unlisted = find_remote_garbage(store.tracker, store.registry, ArtifactFolder())
        folders = scratch.abandoned(Path(tempfile.gettempdir()))
        results = abandoned_results(store, os.environ)
        if yes:
            erasable, kept = _erased(store, erasable)
            garbage.remove(files)
            objects, more = remove_remote(objects, ArtifactFolder())
            kept += more
            scratch.remove(folders)
            remove_results(results)
        found = [(item.folder, item.size, _why(item)) for item in erasable]
        found += [(str(item.path), item.size, item.why) for item in files]
        found += [(item.path, item.size, item.why) for item in objects]
        found += [(str(folder), scratch.size_of(folder), "its driver is dead") for folder in folders]
        found += [(str(folder), scratch.size_of(folder), "its sweep has ended") for folder in results]
    rows = [dict(zip(COLUMNS, place, strict=True)) for place in found]
    if shared.format != "table":
        output.show(rows, Table(COLUMNS, rows), shared)
    elif found:  # not a table: it would cut long paths
        output.write(
            "\n".join(f"{size:>12}  {one_line(why):<18}  {one_line(path)}" for path, size, why in found), shared
        )
    total = sum(size for _, size, _ in found)
    if not rows:
        output.message("nothing to remove")
    elif yes:
        output.message(f"removed {_places(len(rows))}, {total} bytes")
    else:
        output.message(f"{_places(len(rows))}, {total} bytes could go; nothing was removed, do it with: hpo gc --yes")
    for problem in unlisted:
        log.warning("not looked at: %s", problem)
    for problem in kept:
        log.warning("left alone: %s", problem)
    if out_of_reach := [*unlisted, *kept]:
        raise StoreUnavailable(f"{_places(len(out_of_reach))} could not be reached, named above; then run hpo gc again")


def _erased(store: Store, erasable: Sequence[Erasable]) -> tuple[list[Erasable], list[str]]:
    """What could be removed of it, and of each whose files are out of reach, why; what else could not go is said."""
    from hpo.erasure import erase
    from hpo.errors import SweepOwned
    from trackers.artifacts import ArtifactFolder
    from trackers.errors import StoreUnavailable, Superseded

    gone, unreached = [], []
    for item in erasable:
        try:
            erase(store, item, ArtifactFolder(), os.environ)
        except StoreUnavailable as error:  # its rows stay, so it is found again
            unreached.append(f"sweep {item.sweep}: {error}")
        except (SweepOwned, Superseded) as error:
            log.warning("left alone: %s", error)
        else:
            gone.append(item)
    return gone, unreached


def _why(item: Erasable) -> str:
    from hpo.cli.text import short_time

    runs = len(item.gone) + len(item.emptied)
    day = (short_time(item.deleted) or "")[:10]
    return f"sweep {item.sweep}: {runs} run{'' if runs == 1 else 's'} deleted {day}"


def _places(count: int) -> str:
    return f"{count} place{'s' if count > 1 else ''}"
