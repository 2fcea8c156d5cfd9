"""Takes the capture of a sweep that begins or goes on, and says what is to be put on record of it."""

import logging
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hpo.build import Parts
from hpo.captures import (
    CAPTURE_TAG,
    COMMAND_TAG,
    FOLDER,
    NO_CAPTURE,
    NOT_CAPTURED,
    Capture,
    capture_of,
    captures_on_record,
    changes,
    files_of,
    new_capture,
)
from hpo.config.schema import SweepConfig
from hpo.errors import ProvenanceError
from hpo.masking import MASK, Secrets, is_secret_name
from hpo.provenance.changed import Changed
from hpo.provenance.code import Code, CodeSettings
from hpo.provenance.code_capture import NO_REPOSITORY, captured_code
from hpo.provenance.code_changes import counted
from hpo.provenance.environment import Environment, captured_environment
from hpo.provenance.imported_files import module_file
from hpo.provenance.source_files import is_script, is_source_name
from trackers.records import Run
from trackers.tracker import Tracker

log = logging.getLogger(__name__)
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?")
_FOREIGN = ("site-packages", "dist-packages")
_NAMED = 5
"""Things that a message names; the rest is counted."""


@dataclass(frozen=True)
class Captured:
    """What to put on record: files and tags of the sweep's run, and tags of the trials that this driver starts."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    trial_tags: Mapping[str, str] = field(default_factory=dict)


def take_capture(parts: Parts, folder: Path, argv: Sequence[str], environ: Mapping[str, str]) -> Capture | None:
    """The capture of a sweep whose file lies in `folder`, as its file asks for; None where it asks for none."""
    settings, secrets = parts.config.capture, _all_secrets(parts, environ)
    if not settings.code and not settings.environment:
        return None
    with ThreadPoolExecutor(1) as pool:  # git works meanwhile
        code = pool.submit(_code, parts, folder, secrets) if settings.code else None
        environment = _environment(parts.config, environ) if settings.environment else Environment()
        return new_capture(
            code.result() if code else Code(without=NOT_CAPTURED), environment, masked_command(argv, secrets)
        )


def captured_first(capture: Capture | None, secrets: Secrets) -> Captured:
    """What a sweep that begins puts on record."""
    if capture is None:
        return Captured()
    _say_left_out(capture.code)
    tags = {CAPTURE_TAG: capture.key, COMMAND_TAG: shlex.join(capture.command)}
    return Captured(_placed(capture, secrets), tags)


def captured_again(
    capture: Capture | None, secrets: Secrets, tracker: Tracker, parent: Run, *, next_number: int
) -> Captured:
    """What a sweep that goes on puts on record: nothing, where all is as it was when it began.

    Else it says in one line what is not, and its trials carry a tag. Trials are always run.
    """
    known, first = captures_on_record(tracker, parent), parent.tags.get(CAPTURE_TAG)
    if capture is None:
        return Captured(trial_tags={CAPTURE_TAG: NO_CAPTURE} if known else {})
    if capture.key != first:
        found = _changes(tracker, parent, capture)
        if found is not None and not found:  # say, what was not committed is now
            return Captured(trial_tags={CAPTURE_TAG: str(first)} if len(known) > 1 else {})
        if found:
            _say_changes(found, capture, next_number)
    files = {} if capture.key in known else _placed(capture, secrets)
    if files:
        _say_left_out(capture.code)
    # once there are several, a trial that runs again may have the tag of another one
    return Captured(files, trial_tags={CAPTURE_TAG: capture.key} if capture.key != first or len(known) > 1 else {})


def masked_command(argv: Sequence[str], secrets: Secrets) -> Sequence[str]:
    """The command line as it may be recorded: without secrets, and the program by its name."""
    shown: list[str] = []
    follows = False
    for argument in argv:
        name, equals, _ = argument.partition("=")
        is_option = argument.startswith("-")
        is_named = is_secret_name(name.rpartition(".")[2].lstrip("-"))
        if is_named and equals:
            shown.append(f"{name}={MASK}")
        else:
            shown.append(MASK if follows and not is_option else secrets.hide(argument))
        follows = is_option and is_named and not equals  # --api-key VALUE
    if shown:
        program = Path(shown[0])
        is_module = program.name == "__main__.py"
        shown[:1] = ["python", "-m", program.parent.name] if is_module else [program.name]
    return shown


def described(changed: Sequence[Changed]) -> str:
    """What differs, on one line: `code: train.py (+2 -1); package numpy: 1.26.4 -> 2.1.0`."""
    code = [change for change in changed if change.what == "code"]
    texts = [f"code: {_listed([_file(change) for change in code], ', ')}"] if code else []
    others = [str(change) for change in changed if change.what != "code"]
    return "; ".join([*texts, *([_listed(others, "; ")] if others else [])])


def _code(parts: Parts, folder: Path, secrets: Secrets) -> Code:
    config, here = parts.config, Path.cwd()
    artifacts = config.tracker.artifacts
    skip = [] if "://" in artifacts else [here / artifacts, folder / artifacts]
    settings = CodeSettings(config.capture.diff, config.capture.max_size, secrets, skip)
    modules = [*_named_files(config, folder, parts.search_path), *_loaded_files(folder)]
    return captured_code(folder, here, modules, settings)


def _environment(config: SweepConfig, environ: Mapping[str, str]) -> Environment:
    parallel = config.parallel
    return captured_environment(
        config.capture.env,
        environ,
        inner_threads=parallel.inner_threads,
        backend=parallel.backend,
        command=config.objective.command is not None,
    )


def _all_secrets(parts: Parts, environ: Mapping[str, str]) -> Secrets:
    """The sweep's secrets, and those that the environment holds by their names."""
    found = {
        text for name, text in environ.items() if is_secret_name(name) and len(text) >= 8 and not text.startswith("/")
    }
    return Secrets(parts.secrets.params, parts.secrets.values | found)


def _named_files(config: SweepConfig, folder: Path, search_path: Sequence[str]) -> Iterator[Path]:
    """The files of code that the sweep file names: modules, by whatever key, and what its program is run with."""
    folders = [Path(entry) for entry in search_path]
    named: list[object] = [config.objective.model_dump(mode="json")]
    named += [getattr(spec, "choices", None) for spec in config.parameters.values()]
    named.append(config.registration.test if config.registration else None)
    for text in _texts(named):
        if _DOTTED.fullmatch(text) and (found := _module_of(text.partition(":")[0], folders)):
            yield found
    yield from _program_files(config, folder)


def _program_files(config: SweepConfig, folder: Path) -> Iterator[Path]:
    cwd = config.objective.cwd or ""
    base = folder if "{" in cwd else folder / cwd
    for text in config.objective.command or ():
        path = base / text.replace("{sweep_dir}", str(folder))
        try:
            if path.is_file() and (is_source_name(text) or is_script(path)):
                yield path
        except (OSError, ValueError):  # no path at all
            continue


def _module_of(name: str, folders: Sequence[Path]) -> Path | None:
    """The file of the module that a dotted path leads into."""
    parts = name.split(".")
    found = (module_file(".".join(parts[:end]), folders) for end in range(len(parts), 0, -1))
    return next(filter(None, found), None)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _loaded_files(folder: Path) -> Iterator[Path]:
    """The files below the sweep's folder that Python has loaded, but for packages that are installed there."""
    top = f"{folder.resolve()}/"
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(top) and file.endswith(".py"):
            parts = Path(file).parts
            if name.partition(".")[0] not in ("hpo", "trackers") and not any(part in _FOREIGN for part in parts):
                yield Path(file)


def _placed(capture: Capture, secrets: Secrets) -> Mapping[str, bytes]:
    return {f"{FOLDER}/{capture.key}/{name}": content for name, content in files_of(capture, secrets).items()}


def _changes(tracker: Tracker, parent: Run, capture: Capture) -> Sequence[Changed] | None:
    """What differs from when the sweep began; None where that is not on record."""
    try:
        before = capture_of(tracker, parent)
    except ProvenanceError as error:
        log.warning("%s", error)
        return None
    return changes(before, capture, Path(capture.code.root)) if before else None


def _say_changes(found: Sequence[Changed], capture: Capture, number: int) -> None:
    log.info(
        "not as when this sweep began: %s; trials from %d on carry capture %s", described(found), number, capture.key
    )


def _say_left_out(code: Code) -> None:
    if code.without not in ("", NO_REPOSITORY, NOT_CAPTURED):
        log.info("the code is kept as the files that were loaded, without git: %s", code.without)
    if code.left_out:
        texts = [f"{path} ({why})" for path, why in code.left_out.items()]
        log.info("kept off the record of the code: %s", _listed(texts, ", "))


def _file(change: Changed) -> str:
    lines = counted(change)
    return f"{change.name} ({lines or f'{change.before} -> {change.after}'})"


def _listed(texts: Sequence[str], separator: str) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return separator.join(texts[:_NAMED]) + more
