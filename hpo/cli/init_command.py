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
@click.option("-t", "--template", type=click.Choice(TEMPLATES), default="sklearn", help="What a trial does.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def command(file: Path, template: str, force: bool) -> None:
    """Write a commented sweep FILE (sweep.yaml where none is named) that runs as it is."""
    _write(file, _template(f"{template}.yaml").replace("NAME", _name(file)), force=force)
    name = BESIDE.get(template)
    if name is not None and not file.with_name(name).exists():
        _write(file.with_name(name), _template(name))
    click.echo(f"next: hpo run {shlex.quote(str(file))}")


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
