"""`hpo check`: say what is wrong with sweep files, or that nothing is; nothing is run or imported."""

from collections.abc import Sequence

import click

from hpo.config.expanded import as_yaml
from hpo.config.reading import read_sweep
from hpo.config.schema import SweepConfig
from hpo.errors import ConfigError
from hpo.feasibility import feasibility_findings, feasible_text
from hpo.gates import when_findings

BAD = 2


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--print", "expand", is_flag=True, help="Show each file with every default written out.")
@click.pass_context
def command(context: click.Context, files: Sequence[str], expand: bool) -> None:
    """Check sweep FILEs: all mistakes at once, each with its line. Nothing is run, nothing they name is imported.

    FILE - is standard input.
    """
    are_good = [_check(file, expand=expand) for file in files]
    if not all(are_good):
        context.exit(BAD)


def _check(file: str, *, expand: bool) -> bool:
    try:
        config = read_sweep(file, checks=(when_findings, feasibility_findings))
    except ConfigError as error:
        click.echo(str(error), err=True)
        return False
    if config.parallel.is_cluster:
        _note_what_is_missing(file, config.parallel.backend)
    if expand:  # what goes to stdout is then YAML, one document a file
        click.echo(f"---\n# {file}: ok - {summary(config)}\n{as_yaml(config)}", nl=False)
    else:
        click.echo(f"{file}: ok - {summary(config)}")
    return True


def _note_what_is_missing(file: str, backend: str) -> None:
    """No mistake of the file, which may be run elsewhere."""
    from hpo.executors.remote.reaching import missing_package

    if missing := missing_package(backend):
        click.echo(f"{file}: note: {missing}", err=True)


def summary(config: SweepConfig) -> str:
    """What the sweep does, in one line."""
    jobs, engine = config.parallel.n_jobs, config.engine
    parts = [
        _count(len(config.parameters), "parameter"),
        _count(config.budget.n_trials, "trial"),
        "a job for each core" if jobs == -1 else _count(jobs, "job"),
        engine.title,
        *(f"{goal} {name}" for name, goal in config.goals.items()),
    ]
    return ", ".join([*parts, *([text] if (text := feasible_text(config)) else [])])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
