"""The version that DVC or git has of a data file or folder."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hpo.provenance.git import GitFailed, run_git


def data_version(path: Path) -> str:
    """`dvc:<md5>` as the .dvc file beside it or a dvc.lock says, `git:<commit>:<path>` where git has it unchanged.

    '' where neither knows it. The git one can be had back by `git show <commit>:<path>`; of what lies within a folder
    that DVC tracks as a whole, the version is `dvc:<md5>.dir/<path>`.
    """
    path = path.resolve()
    return _dvc_version(path) or _git_version(path)


def _dvc_version(path: Path) -> str:
    for tracked in (path, *path.parents):
        folder = tracked.parent
        recorded = [folder / f"{tracked.name}.dvc"] if tracked.name else []
        found = [
            *(_outs(file, {tracked}) for file in recorded if file.is_file()),
            *(_outs(file, {path, *path.parents}) for file in (folder / "dvc.lock",) if file.is_file()),
        ]
        for out, md5 in (item for each in found for item in each):
            rest = path.relative_to(out).as_posix()
            return f"dvc:{md5}" if rest == "." else f"dvc:{md5}/{rest}"
        if (folder / ".dvc").is_dir() or (folder / ".git").exists():  # the top of its repository
            break
    return ""


def _outs(file: Path, wanted: set[Path]) -> Iterator[tuple[Path, str]]:
    """The wanted ones of the paths that a file of DVC lists, with their md5."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    except (OSError, ValueError, YAMLError):
        return
    stages = document.get("stages") if isinstance(document, Mapping) else None
    for stage in stages.values() if isinstance(stages, Mapping) else [document]:
        outs = stage.get("outs") if isinstance(stage, Mapping) else None
        for out in outs if isinstance(outs, Sequence) else ():
            if isinstance(out, Mapping) and out.get("md5") and out.get("path"):
                place = Path(os.path.normpath(file.parent / str(out["path"])))
                if place in wanted:
                    yield place, str(out["md5"])


def _git_version(path: Path) -> str:
    if not any((folder / ".git").exists() for folder in path.parents):
        return ""
    name = f"./{path.name}"
    try:
        commit, _ = _asked(path, "rev-parse", "HEAD", f"HEAD:{name}").split()
        changed = _asked(path, "--literal-pathspecs", "status", "--porcelain", "--ignored", "--", name)
        top = Path(os.fsdecode(_asked(path, "rev-parse", "--show-toplevel").rstrip(b"\n"))).resolve()
    except (GitFailed, ValueError):
        return ""
    return "" if changed else f"git:{commit.decode()}:{path.relative_to(top).as_posix()}"


def _asked(path: Path, *arguments: str) -> bytes:
    """What git says in a file's folder; data of somebody else's that look like a repository are none."""
    return run_git(path.parent, "-c", "safe.bareRepository=explicit", *arguments)
