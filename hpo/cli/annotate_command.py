"""`hpo annotate`: edit description and tags of a version of a model, or note and tags of a sweep or trial."""

import os
from collections.abc import Sequence

import click

from hpo.cli import options
from hpo.cli.options import Shared


@click.command("annotate")
@click.argument("what", metavar="NAME|SWEEP|SWEEP#17")
@click.argument("version", required=False)
@click.option("--description", metavar="TEXT", help="The new description of a model's version.")
@click.option("--note", metavar="TEXT", help="The new note of a sweep or trial.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Set a tag; may be given several times.")
@click.option("--remove-tag", "removed", multiple=True, metavar="KEY", help="Take a tag away; several times too.")
@click.option("--why", default="", metavar="TEXT", help="A reason, kept in the model's history.")
@options.store_only
def command(
    shared: Shared,
    *,
    what: str,
    version: str | None,
    description: str | None,
    note: str | None,
    tags: Sequence[str],
    removed: Sequence[str],
    why: str,
) -> None:
    """Edit what people say of VERSION (a number or an alias) of model NAME, or of a sweep or trial.

    Of a model: --description, tags, and --why for its history. Of a sweep or trial: --note, which MLflow's pages show
    as the description, and tags. Tags that begin with hpo. or mlflow. are not for people.
    """
    from hpo.annotating import Annotation, annotate_run, annotate_version
    from hpo.cli import output
    from hpo.cli.stores import require_store, store_name
    from hpo.driver import login_name
    from hpo.mirrors.by_hand import send_model, send_sweeps
    from hpo.naming import find_run
    from trackers.opening import open_store

    if version is None and (description is not None or why):
        raise click.UsageError("a sweep or trial has a --note, and no history; of a model name the VERSION too")
    if version is not None and note is not None:
        raise click.UsageError("the version of a model has a --description, not a --note")
    text = note if version is None else description
    if text is None and not tags and not removed:
        raise click.UsageError("nothing to change; give a text, --tag KEY=VALUE or --remove-tag KEY")
    annotation = Annotation(text, dict(map(_pair, tags)), removed)
    require_store(shared)
    with open_store(shared.tracker) as store:
        if version is None:
            run = annotate_run(store.tracker, find_run(store.tracker, what, store_name(shared)), annotation)
            output.message(f"annotated {run.name}; see: hpo show {what}")
            send_sweeps(store, [run.parent_id or run.id], os.environ)
        else:
            found = annotate_version(store.registry, what, version, annotation, who=login_name(), why=why)
            output.message(f"annotated version {found.version} of {what}; see: hpo models {what}")
            send_model(store, what, os.environ)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise click.UsageError(f"--tag takes KEY=VALUE, got {text!r}")
    return key, value
