"""Imports what a sweep file names, with errors that lead to the mistake."""

import importlib
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from types import ModuleType

from hpo.errors import ObjectiveError
from hpo.objectives.nearest import did_you_mean


def import_named(name: str, *, places: Sequence[str] = ()) -> ModuleType:
    """The module of that name; ObjectiveError that says which part is missing, or which line of it raised."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ObjectiveError(_not_found(name, error.name, places)) from error
        raise ObjectiveError(_raised(name, error)) from error
    except (Exception, SystemExit) as error:
        raise ObjectiveError(_raised(name, error)) from error


def attribute_of(owner: object, path: str, *, named: str) -> object:
    """What the dotted path leads to from a module; `named` is how the file names it, for the message."""
    found = owner
    for step in path.split("."):
        try:
            found = getattr(found, step)
        except AttributeError:
            public = [name for name in dir(found) if not name.startswith("_")]
            where = getattr(found, "__file__", None) or getattr(found, "__name__", type(found).__name__)
            raise ObjectiveError(f"{named}: there is no {step!r} in {where}{did_you_mean(step, public)}") from None
    return found


def _not_found(name: str, missing: str, places: Sequence[str]) -> str:
    parent, _, last = missing.rpartition(".")
    folders = _folders_of(parent) if parent else list(places)
    known = [module.name for module in pkgutil.iter_modules(folders or None)]
    searched = f" in {', '.join(folders)}" if folders else ""
    more = " or among the installed packages" if folders and not parent else ""
    return f"{name}: there is no module {missing!r}{searched}{more}{did_you_mean(last, known)}"


def _folders_of(package: str) -> list[str]:
    return [str(folder) for folder in getattr(sys.modules.get(package), "__path__", [])]


def _raised(name: str, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{name} cannot be imported: {error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if _is_users(frame.filename)), frames[-1])
    return (
        f"{name} cannot be imported: {frame.filename}:{frame.lineno}: {frame.line}\n  {type(error).__name__}: {error}"
    )


def _is_users(filename: str) -> bool:
    not_theirs = ("<", __file__, sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
    return not filename.startswith(not_theirs)


def locate(path: str) -> object:
    """What a dotted path such as `sklearn.svm.SVC` names; ObjectiveError with the nearest name where it is nothing."""
    module, _, name = path.rpartition(".")
    if not module or not name:
        raise ObjectiveError(f"{path}: must be a dotted path, such as sklearn.svm.SVC")
    return attribute_of(import_named(module), name, named=path)
