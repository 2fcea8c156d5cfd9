"""Ours against everyone: the same work side by side, each peer in its own environment, one command, one table.

Peers are installed into `.tools/bench` when first needed. Within an item the sides take turns, --repeat times; ratios
are of the pairs of a round. What was measured is kept in recorded.json, and --write makes the page's tables of it.

Usage: python scripts/bench/everyone.py [--only ITEM ...] [--quick | --full] [--repeat 3] [--write] [--check [--record]]
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import check
from environments import PEERS, ROOT, install, versions
from items import busy, byhand, growing, overhead, questions, starting
from items.scale import Scale
from ratios import Item, between_markers, item_from, overview, section

PAGE = ROOT / "docs" / "benchmarks.md"
RECORD = Path(__file__).with_name("recorded.json")
ITEMS: Mapping[str, Callable[[Scale], Item | list[Item]]] = {
    "overhead": overhead.measure,
    "busy": busy.measure,
    "growth": growing.measure,
    "questions": questions.measure,
    "start": starting.measure,
    "byhand": byhand.measure,
    "size": overhead.measure_size,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=list(ITEMS), default=list(ITEMS), metavar="ITEM", help=", ".join(ITEMS)
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether it runs; the figures mean little")
    parser.add_argument("--full", action="store_true", help="also what takes hours: 512 workers, a million trials")
    parser.add_argument("--repeat", type=int, help="rounds: 3, with --check 5 if not given")
    parser.add_argument("--write", action="store_true", help="keep the results, and write all kept ones into the page")
    parser.add_argument(
        "--check", action="store_true", help="compare a few ratios with those on record; exit 1 if worse"
    )
    parser.add_argument("--record", action="store_true", help="with --check: put the ratios on record")
    options = parser.parse_args()
    for peer in PEERS:
        install(peer)
    if options.check:
        return check.main(RECORD, pairs=options.repeat or 5, record_them=options.record)
    measured = _measure(options.only, Scale(options.repeat or 3, options.quick, options.full))
    print("\n\n".join(section(item) for item in measured))
    print(f"\n### All of it\n\n{overview(measured)}")
    if options.write:
        _keep(measured)
        write_page()
    return 0


def _measure(names: Sequence[str], scale: Scale) -> list[Item]:
    """The items asked for; how long each took goes to stderr."""
    found: list[Item] = []
    for name in names:
        began = time.perf_counter()
        made = ITEMS[name](scale)
        found += made if isinstance(made, list) else [made]
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return found


def _keep(measured: Sequence[Item]) -> None:
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    kept = record.setdefault("items", {})
    kept.update({item.key: item.as_json() for item in measured})
    record["versions"] = {peer: versions(peer) for peer in ["ours", *PEERS]}
    record["machine"] = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


def write_page() -> None:
    """Puts all that is on record into the page, item by item, and the table over all before them."""
    record = json.loads(RECORD.read_text())
    items = [item_from(found) for found in record["items"].values()]
    order = ["overhead", "busy", "growth-random", "growth-tpe", "questions-first", "questions-later", "start"]
    items.sort(key=lambda item: order.index(item.key) if item.key in order else len(order))
    said = [f"{peer}: {', '.join(' '.join(each) for each in of.items())}" for peer, of in record["versions"].items()]
    text = f"{record['machine']}. Versions: {'; '.join(said)}.\n\n{overview(items)}"
    parts = [text, *(section(item) for item in items)]
    PAGE.write_text(between_markers(PAGE.read_text(), "everyone", "\n\n".join(parts)))


if __name__ == "__main__":
    sys.exit(main())
