"""Ours against everyone: the same work side by side, each peer in its own environment, one command, one table.

Peers are installed into `.tools/bench` when first needed. Within an item the sides take turns, --repeat times; ratios
are of the pairs of a round. With --write what was measured is kept in recorded.json, side by side as it comes, and the
page's tables are made of it: a run may be cut off (Ctrl-C, or `timeout 10m make bench ..`), and the side it was at
keeps what it had reached. Progress goes to stderr.

Usage: python scripts/bench/everyone.py [--only ITEM ...] [--quick | --full] [--repeat 3] [--limit SECONDS]
           [--sizes N ...] [--sides PART ...] [--write] [--check [--record]]
"""

import argparse
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import check
from environments import PEERS, ROOT, install, versions
from items import busy, byhand, growing, overhead, postgresql, questions, starting
from items.scale import Scale
from kept import Record
from ratios import Item, between_markers, overview, section
from turns import is_cut_off

PAGE = ROOT / "docs" / "benchmarks.md"
RECORD = Path(__file__).with_name("recorded.json")
ITEMS: Mapping[str, Callable[[Scale], Iterator[Item]]] = {
    "overhead": overhead.measure,
    "postgresql": postgresql.measure,
    "busy": busy.measure,
    "growth-random": growing.measure_random,
    "growth-tpe": growing.measure_tpe,
    "questions": questions.measure,
    "start": starting.measure,
    "byhand": byhand.measure,
    "size": overhead.measure_size,
}


def main() -> int:
    options = _parsed()
    signal.signal(signal.SIGTERM, _interrupted)
    for peer in PEERS:
        install(peer)
    record = Record(options.record_file)
    if options.check:
        return check.main(record, pairs=options.repeat or 3, record_them=options.record)
    if options.write:
        machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
        record.keep_about(machine, {peer: versions(peer) for peer in ["ours", *PEERS]})
    scale = Scale(
        options.repeat, options.quick, options.full, options.limit, tuple(options.sizes), tuple(options.sides)
    )
    measured, whole = _measure(_chosen(options.only), scale, record.keep if options.write else lambda item: None)
    print("\n\n".join(section(item) for item in measured))
    print(f"\n### All of it\n\n{overview(measured)}")
    if options.write:
        write_page(record)
    return 0 if whole else 130


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="ITEM", help=f"or how one begins: {', '.join(ITEMS)}"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether it runs; the figures mean little")
    parser.add_argument("--full", action="store_true", help="also what takes long: 512 workers, a million trials")
    parser.add_argument("--repeat", type=int, help="rounds: else 3, or 1 of what takes long")
    parser.add_argument("--limit", type=float, help="seconds after which a side is ended; what it reached is kept")
    parser.add_argument("--sizes", type=int, nargs="+", default=[], help="of busy: workers; of questions: trials")
    parser.add_argument("--sides", nargs="+", default=[], metavar="PART", help="only sides named so; see items/*.py")
    parser.add_argument("--write", action="store_true", help="keep the results, and write all kept ones into the page")
    parser.add_argument(
        "--check", action="store_true", help="compare a few ratios with those on record; exit 1 if worse"
    )
    parser.add_argument("--record", action="store_true", help="with --check: put the ratios on record")
    parser.add_argument(
        "--record-file", type=Path, default=RECORD, help="to try it: keep in another file, not the page"
    )
    options = parser.parse_args()
    wrong = [word for word in options.only if not any(name.startswith(word) for name in ITEMS)]
    if wrong:
        parser.error(f"--only: no item begins with {', '.join(wrong)}; there are {', '.join(ITEMS)}")
    if options.write and options.record_file == RECORD and (options.quick or options.sides):
        parser.error("--write: not with --quick or --sides, which would put less in the place of what is on record")
    return options


def _chosen(words: Sequence[str]) -> list[str]:
    return [name for name in ITEMS if any(name.startswith(word) for word in words)]


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Once: `timeout` signals twice, and the second must not end the clearing up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _measure(names: Sequence[str], scale: Scale, keep: Callable[[Item], None]) -> tuple[list[Item], bool]:
    """The items asked for, as far as they came, and whether they came to their end."""
    found: dict[str, Item] = {}
    try:
        for name in names:
            for item in ITEMS[name](scale):
                found[item.key] = item
                keep(item)
    except KeyboardInterrupt:
        return list(found.values()), _told_cut_off()
    return list(found.values()), not is_cut_off() or _told_cut_off()


def _told_cut_off() -> bool:
    print("cut off: what there is by now", file=sys.stderr)
    return False


def write_page(record: Record) -> None:
    """Puts all that is on record into the page, item by item, and the table over all before them."""
    items, about = record.items(), record.read()
    if record.path != RECORD:
        return
    said = [f"{peer}: {', '.join(' '.join(each) for each in of.items())}" for peer, of in about["versions"].items()]
    text = f"{about['machine']}. Versions: {'; '.join(said)}.\n\n{overview(items)}"
    parts = [text, *(section(item) for item in items)]
    PAGE.write_text(between_markers(PAGE.read_text(), "everyone", "\n\n".join(parts)))


if __name__ == "__main__":
    sys.exit(main())
