"""`hpo register`: register the winner of a sweep, as its file says, or the model of one trial."""

import os
import sys
from typing import TYPE_CHECKING

import click

from hpo.cli import output
from hpo.cli.options import Shared, shared

if TYPE_CHECKING:  # for the types only: they open stores, and SQLAlchemy takes a while to import
    from hpo.by_hand import ByHand
    from hpo.last_step import LastStep
    from trackers.opening import Store
    from trackers.records import Run

EXIT_NOTHING = 1
EXIT_REFUSED = 4


@click.command("register")
@click.argument("what", metavar="SWEEP|SWEEP#N", default="@latest")
@click.option("--name", metavar="NAME", help="The registered model's name; else the file's, else the sweep's.")
@click.option("--alias", metavar="ALIAS", help="An alias that then points to this version, such as champion.")
@click.option("--metric", metavar="NAME", help="Rank by this metric instead of the sweep's; no gate is asked then.")
@click.option(
    "--goal", type=click.Choice(["minimize", "maximize"]), help="Which way it is better; else as the sweep's."
)
@click.option("--force", is_flag=True, help="Register the best by validation, whatever the gates of the file say.")
@click.option("--require-register", is_flag=True, help="Exit 4, and not 1, where a gate refuses.")
@click.option("--why", default="", metavar="TEXT", help="A reason, kept in the model's history.")
@shared
def command(
    shared: Shared,
    *,
    what: str,
    name: str | None,
    alias: str | None,
    metric: str | None,
    goal: str | None,
    force: bool,
    require_register: bool,
    why: str,
) -> None:
    """Register a sweep's winner, or a trial's model; the same trial again gives the same version.

    Of a SWEEP whose file has register:, the gates there decide, asked anew; a refusal says which one and by how much.
    SWEEP#N, --metric and --force register without asking them, and say which ones are not passed.
    """
    from hpo.by_hand import ByHand, has_gates
    from hpo.cli.stores import require_store
    from hpo.driver import login_name
    from hpo.mirrors.by_hand import send_model, send_sweeps
    from hpo.naming import find_sweep
    from trackers.opening import open_store

    require_store(shared)
    by_hand = ByHand(login_name(), name, alias, why)
    with open_store(shared.tracker) as store:
        is_asked = "#" not in what and not (metric or goal or force)
        sweep = find_sweep(store.tracker, what) if is_asked else None
        if sweep is not None and has_gates(sweep):
            last = _by_gates(store, sweep, by_hand)
            _show_decision(last, shared)
            send_sweeps(store, [sweep.id], os.environ)
            if last.version:  # whoever held its stage has lost it
                send_model(store, last.version.name, os.environ)
            _end(last, require_register=require_register)
        else:
            _register_one(store, what, by_hand, shared, metric=metric, goal=goal)


def _by_gates(store: "Store", sweep: "Run", by_hand: "ByHand") -> "LastStep":
    import shlex

    from hpo.by_hand import register_sweep
    from hpo.cli.signals import watched
    from hpo.interruption import Interruption

    interruption = Interruption()
    with watched(interruption) as signals:
        try:
            return register_sweep(store, sweep, by_hand, interruption)
        except KeyboardInterrupt:
            output.message(
                "interrupted, nothing was registered; what was measured is on record, go on with: "
                f"hpo register {shlex.quote(sweep.name)}"
            )
            signals.leave()


def _show_decision(last: "LastStep", shared: Shared) -> None:
    from hpo.cli.run_summary import decision_object, last_lines
    from hpo.cli.text import one_line
    from hpo.version_object import version_object

    if shared.format == "table":
        lines = last_lines(last.version, last.why_not, last.decision)
        output.write("\n".join(one_line(line) for line in lines), shared)
    else:
        fields = version_object(last.version) or {"name": None, "version": None, "aliases": []}
        why_not, promotion = last.why_not or None, decision_object(last.decision)
        output.show_data({**fields, "not_registered": why_not, "promotion": promotion}, shared)


def _end(last: "LastStep", *, require_register: bool) -> None:
    if not last.stands:
        sys.exit(EXIT_REFUSED if require_register and last.is_refused else EXIT_NOTHING)


def _register_one(
    store: "Store", what: str, by_hand: "ByHand", shared: Shared, *, metric: str | None, goal: str | None
) -> None:
    from hpo.by_hand import register_trial
    from hpo.decision import as_fields
    from hpo.mirrors.by_hand import send_model
    from hpo.registering import chosen
    from hpo.version_object import version_object

    run, _ = chosen(store.tracker, what, metric=metric, goal=goal)
    version, verdicts = register_trial(store, run, what, by_hand)
    for verdict in verdicts:
        if not verdict.passed:
            output.message(
                f"warning: registered without asking gate {verdict.gate}, which is not passed: {verdict.text}"
            )
    if shared.format == "table":
        pointed = f", alias {', '.join(version.aliases)}" if version.aliases else ""
        output.write(f"registered {version.name} version {version.version}{pointed}\n{version.description}", shared)
    else:
        output.show_data({**(version_object(version) or {}), "gates": [as_fields(v) for v in verdicts]}, shared)
    send_model(store, version.name, os.environ)
