"""A folder that holds all it takes to replay a trial without the store: code, lock file, record, digests of the data.

It is an MLflow project too, so `mlflow run` replays it as well.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from hpo.captures import NOT_CAPTURED, Capture
from hpo.errors import ConfigError, ProvenanceError
from hpo.provenance.changed import Changed
from hpo.provenance.code_record import code_of
from hpo.provenance.code_tree import require_no_programs
from hpo.provenance.environment import Environment
from hpo.provenance.lock import requirements_text
from hpo.provenance.repository import root_around
from hpo.replaying.code_place import recorded_code
from hpo.replaying.data_place import data_files, file_digest, is_content_of
from hpo.replaying.record import Record, as_json, from_json

RECORD, CAPTURE, CODE, DATA = "trial.json", "capture.json", "code", "data"
_FACTS = ("commit", "branch", "remote", "root", "folder", "started_in", "dirty", "without")
"""What is said of the code besides the code itself, which lies in the folder."""


def is_project(folder: Path) -> bool:
    """Whether a folder was written by `write_project`."""
    return (folder / RECORD).is_file() and (folder / CODE).is_dir()


def write_project(
    record: Record, capture: Capture | None, target: Path, *, repository: Path | None = None, data: Path | None = None,
    with_data: bool = False,
) -> None:  # fmt: skip
    """Writes the folder, which must not be there yet or be empty, whole or not at all.

    Data files stay where they are, known by their digests, unless `with_data` copies them in; `data` is a folder to
    look for them in. ProvenanceError where code or data cannot be had, or only by running what a repository says that
    nobody but the record names: writing a project runs nothing.
    """
    if capture is None or capture.code.without == NOT_CAPTURED:
        raise ProvenanceError(f"no code of {record.sweep!r} is on record, so there is nothing to make a project of")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is there already and not an empty folder; name another one")
    if repository is None and capture.code.commit:
        here = root_around(Path.cwd())
        for place in {Path(capture.code.root), here or Path.cwd()} - {here}:  # where the history is looked for
            require_no_programs(place)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        part = Path(scratch, "project")
        part.mkdir()
        with recorded_code(capture.code, (), Path(scratch, "tree"), repository) as code:
            shutil.copytree(code.top, part / CODE, symlinks=True, ignore=shutil.ignore_patterns(".git"))
            digests = _digests(part / CODE)
            if with_data:
                _copy_data(record, code_root=code.original, part=part, given=data)
        _write_texts(record, capture, part, digests)
        if target.exists():
            target.rmdir()
        part.replace(target)


def edited(folder: Path) -> Sequence[Changed]:
    """Which files of a project's code are not as they were written."""
    then = _facts(folder).get("files", {})
    if not isinstance(then, dict) or not all(isinstance(digest, str) for digest in then.values()):
        raise ConfigError(f"{folder} is no project that hpo export wrote: files are no digests")
    now = _digests(folder / CODE)
    return [
        Changed("code", path, digest[:12], now.get(path, "")[:12])
        for path, digest in then.items()
        if now.get(path) != digest
    ]


def read_project(folder: Path) -> tuple[Record, Capture]:
    """The record and the capture of a project; the files of its code lie in the folder `code`."""
    try:
        record = from_json((folder / RECORD).read_text("utf-8"))
        facts = _facts(folder)
        command = facts["command"]
        if not isinstance(command, list):
            raise ConfigError(f"{folder} is no project that hpo export wrote: its command is no list")
        environment = Environment.from_json(facts["environment"])
        capture = Capture(code_of(facts["code"]), environment, tuple(map(str, command)), "")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError(f"{folder} is no project that hpo export wrote: {error}") from error
    return record, capture


def _facts(folder: Path) -> dict[str, object]:
    found = json.loads((folder / CAPTURE).read_text("utf-8"))
    if not isinstance(found, dict):
        raise ConfigError(f"{folder} is no project that hpo export wrote: {CAPTURE} is no object")
    return found


def _copy_data(record: Record, *, code_root: str, part: Path, given: Path | None) -> None:
    for dataset, path, source in data_files(record, given):
        if source is None:
            raise ProvenanceError(
                f"data set {dataset.name!r} lay in {path}, which is not here; give the folder that has it: --data DIR"
            )
        if not is_content_of(dataset, source):  # a record may name any file of this machine
            raise ProvenanceError(
                f"{source} does not hold data set {dataset.name!r} as it was recorded, so it is not copied; give the "
                "folder that has it, under any name: --data DIR, or leave out --with-data"
            )
        inside = Path(path).relative_to(code_root) if Path(path).is_relative_to(code_root) else None
        place = part / CODE / inside if inside else part / DATA / Path(path).name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, place) if source.is_dir() else shutil.copy2(source, place)


def _write_texts(record: Record, capture: Capture, part: Path, digests: Mapping[str, str]) -> None:
    trial = record.trials[0].name if len(record.trials) == 1 else record.sweep
    texts = {
        RECORD: as_json(record),
        "sweep.yaml": record.config,
        CAPTURE: _capture_text(capture, digests),
        "data.json": json.dumps(_data_facts(record), indent=1),
        "requirements.txt": requirements_text(capture.environment),
        "python_env.yaml": _python_env(capture.environment),
        "MLproject": _ML_PROJECT.format(name=re.sub(r"[^\w.-]", "-", trial)),
        "README.md": _README.format(
            trial=trial,
            python=capture.environment.python,
            commit=f"commit {capture.code.commit}" if capture.code.commit else "without a commit",
            edits=", with edits that were in none" if capture.code.dirty else "",
        ),
    }
    for name, text in texts.items():
        (part / name).write_text(text, "utf-8")


def _digests(tree: Path) -> Mapping[str, str]:
    """The sha256 of every file below, by its path; of a link that of the text it is."""
    found = {}
    for path in sorted(tree.rglob("*")):
        if path.is_symlink() or path.is_file():
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[path.relative_to(tree).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def _capture_text(capture: Capture, digests: Mapping[str, str]) -> str:
    code = {name: getattr(capture.code, name) for name in _FACTS}
    facts = {"code": code, "environment": capture.environment.to_json(), "command": list(capture.command)}
    facts["files"] = dict(digests)
    return json.dumps(facts, indent=1, sort_keys=True)


def _data_facts(record: Record) -> Sequence[Mapping[str, object]]:
    return [
        {**asdict(replace(dataset, schema=None, profile=None)), "path": path, "file": file_digest(dataset)}
        for dataset, path, _ in data_files(record, None)
    ]


def _python_env(environment: Environment) -> str:
    return f'python: "{environment.python}"\nbuild_dependencies: [pip]\ndependencies: ["-r requirements.txt"]\n'


_ML_PROJECT = """\
name: {name}
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      env: {{type: string, default: current}}
    command: "hpo replay . --env {{env}}"
"""

_README = """\
# {trial}

Everything it takes to run this trial again and to compare each metric with its record, to the last bit:

```
pip install tracked-hpo
hpo replay . --env locked
```

`--env locked` makes an environment with the packages of `requirements.txt` (Python {python}), `--env same` runs with
the packages that are installed if they are the same ones, `--env current` with whatever is installed. Data that do not
lie in this folder are found by their content: `--data DIR`. `mlflow run .` does the same in MLflow's way.

| file | what it is |
|---|---|
| `code/` | the code as it ran: {commit}{edits} |
| `sweep.yaml` | the sweep file with every default, secrets masked |
| `trial.json` | the record: params, seed, every point of every metric |
| `requirements.txt` | every package with its exact version |
| `data.json` | the data sets and their digests |
| `MLproject`, `python_env.yaml` | the same as an MLflow project |
"""
