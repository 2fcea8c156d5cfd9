"""`hpo init`: write a sweep file that runs as it is, to start from."""

import re
import shlex
from importlib.resources import files
from pathlib import Path

import click

from hpo.errors import ConfigError

TEMPLATES = ("sklearn", "python", "command")
BESIDE = {"python": "objective.py", "command": "train.py"}
"""What a template needs beside it."""


@click.command("init")
@click.argument("file", type=click.Path(path_type=Path), default="sweep.yaml")
@click.option("-t", "--template", type=click.Choice(TEMPLATES), help="What a trial does; sklearn where left out.")
@click.option("--from", "source", type=click.Path(path_type=Path), help="Convert a W&B sweep file.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def command(file: Path, template: str | None, source: Path | None, force: bool) -> None:
    """Write a commented sweep FILE (sweep.yaml where none is named) that runs as it is, or a W&B sweep file as ours."""
    if source is not None and template is not None:
        raise click.UsageError("give --from or --template, not both")
    if source is not None:
        _convert(source, file, force=force)
    else:
        _fill(file, template or "sklearn", force=force)
    click.echo(f"next: hpo run {shlex.quote(str(file))}")


def _convert(source: Path, file: Path, *, force: bool) -> None:
    from hpo.config.reading import read_sweep_text
    from hpo.config.wandb_sweep import convert_wandb

    converted = convert_wandb(source, _name(file))
    read_sweep_text(converted.text, f"{source}, converted")
    _write(file, converted.text, force=force)
    for note in converted.notes:
        click.echo(f"no equal: {note}", err=True)


def _fill(file: Path, template: str, *, force: bool) -> None:
    _write(file, _template(f"{template}.yaml").replace("NAME", _name(file)), force=force)
    name = BESIDE.get(template)
    if name is not None and not file.with_name(name).exists():
        _write(file.with_name(name), _template(name))


def _write(path: Path, text: str, *, force: bool = False) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists and is kept; name another file, or replace it with --force") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
    click.echo(f"wrote {path}")


def _template(name: str) -> str:
    return (files("hpo.cli") / "templates" / name).read_text(encoding="utf-8")


def _name(file: Path) -> str:
    """A sweep's name made of the file's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem).strip("-") or "sweep"
