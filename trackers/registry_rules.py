"""What may be registered, and under which names: MLflow's rules, shared by every registry."""

import difflib
import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

from trackers.errors import AliasMoved, FencedOff, InvalidRecord, NotFound
from trackers.records import Artifact, Fence, NewVersion

STAGES = ("None", "Staging", "Production", "Archived")
ACTIVE_STAGES = ("Staging", "Production")
"""The stages that one version holds at a time, unless told otherwise."""

DELETED_STAGE = "Deleted_Internal"
"""What MLflow writes as the stage of a deleted version; its row stays, so that its number is not given again."""

MODEL_ID = re.compile(r"models:/(m-[0-9a-f]{32})")
"""The source of a version that was registered from a logged model."""

_ALIAS = re.compile(r"[\w-]{1,255}")
_TAG_KEY = re.compile(r"[/\w.\- :]+")
_KEY = 250


def check_version(version: NewVersion) -> None:
    """InvalidRecord with the rule, where this cannot be registered as it is."""
    check_name(version.name)
    check_length("source", version.source, 500)
    if not version.source:
        raise InvalidRecord(f"model {version.name} needs a source: the URI of its files")
    check_length("run id", version.run_id or "", 32)
    if version.model_id and not MODEL_ID.fullmatch(f"models:/{version.model_id}"):
        raise InvalidRecord(f"a model id is m- and 32 hex digits, got {version.model_id!r}")
    if not version.key:
        raise InvalidRecord(f"model {version.name} needs a key, so that registering it again gives the same version")
    check_note(version.description, version.tags)
    check_who(version.who)
    if version.stage is not None:
        check_stage(version.stage)
    for alias in (*version.aliases, *version.expected):
        check_alias(alias)


def check_name(name: str) -> None:
    """MLflow's rule for model names: not empty, no `/` and `:`, not a path such as `..`."""
    check_length("model name", name, 256)
    if not name.strip() or "/" in name or ":" in name or _is_path(name):
        raise InvalidRecord(f"a model's name must not be empty or '.', and must not hold '/' or ':'; got {name!r}")


def check_alias(alias: str) -> None:
    """MLflow's rule for aliases: letters, digits, `_`, `-`; not `latest` and not `v1`, which mean versions."""
    if not _ALIAS.fullmatch(alias):
        raise InvalidRecord(f"an alias has 1 to 255 letters, digits, '_' and '-', got {alias!r}")
    if alias.lower() == "latest" or re.fullmatch(r"[vV]\d+|\d+", alias):
        raise InvalidRecord(
            f"an alias must not be 'latest', a number or 'v' and a number, which mean versions; got {alias!r}"
        )


def check_stage(stage: str) -> None:
    """One of MLflow's four stages, spelled so."""
    if stage not in STAGES:
        close = difflib.get_close_matches(stage.capitalize(), STAGES, n=1)
        hint = f" - did you mean {close[0]!r}?" if close else ""
        raise InvalidRecord(f"a stage is one of {', '.join(STAGES)}, got {stage!r}{hint}")


def check_note(description: str | None, tags: Mapping[str, str] | None) -> None:
    """The lengths and characters of a description and of tags."""
    check_length("description", description or "", 5000)
    for key, value in (tags or {}).items():
        check_length("tag's key", key, 250)
        if not _TAG_KEY.fullmatch(key) or _is_path(key):
            raise InvalidRecord(f"a tag's key has letters, digits, spaces and any of _-.:/, got {key!r}")
        check_length(f"tag {key!r}", value, 100_000)


def check_who(who: str) -> None:
    """The length of a user's name."""
    check_length("user", who, 256)


def check_length(what: str, text: str, limit: int) -> None:
    """SQLite takes any length, PostgreSQL does not: the same limits hold everywhere, and nothing is cut."""
    if not isinstance(text, str):
        raise InvalidRecord(f"a {what} must be a text, got {type(text).__name__} {text!r:.80}")
    if len(text) > limit:
        raise InvalidRecord(f"a {what} may have {limit} characters, got {len(text)}")
    if "\0" in text or (not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)):
        raise InvalidRecord(f"a {what} must not hold NUL or half a character, got {text!r:.80}")


def check_files(version: NewVersion, manifest: Iterable[Artifact]) -> None:
    """NotFound where a file of the model that was verified does not stand in its run's manifest as it was."""
    known = set(manifest)
    gone = [file.path for file in version.files if file not in known]
    if gone:
        raise NotFound(
            f"the manifest of run {version.run_id} no longer lists {', '.join(gone)} as verified, so {version.name} "
            "was not registered; its sweep has let the model go meanwhile: register its winner of today"
        )


def check_expected(version: NewVersion, aliases: Mapping[str, int]) -> None:
    """AliasMoved where an alias does not point to the version that is expected."""
    for alias, number in version.expected.items():
        if aliases.get(alias) != number:
            holder, known = (f"version {n}" if n else "no version" for n in (aliases.get(alias), number))
            raise AliasMoved(
                f"alias {alias} of model {version.name} points to {holder} by now and not to {known}, so nothing was "
                "registered; compare with that one"
            )


def fenced_off(fence: Fence) -> FencedOff:
    """The error of a driver that wants to register what its sweep no longer has to give."""
    return FencedOff(f"sweep {fence.sweep_id} is driven by somebody else by now; nothing was registered")


def check_rollback(name: str, alias: str, holder: int, rollback_from: int) -> None:
    """AliasMoved where the alias does not point to the version that it is to be rolled back from."""
    if holder != rollback_from:
        now = f"version {holder}" if holder else "no version"
        raise AliasMoved(
            f"alias {alias} of model {name} was moved to {now} meanwhile, so nothing was rolled back; look at: "
            f"hpo history {name} --alias {alias}"
        )


def stored_key(key: str) -> str:
    """The key, or where it is too long for its column, its digest."""
    return key if len(key) <= _KEY else "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def noted(description: str | None, tags: Mapping[str, str] | None, removed_tags: Sequence[str] = ()) -> str:
    """What an annotation changed, in one line of history."""
    parts = ([] if description is None else ["description"]) + [f"tag {key}" for key in tags or {}]
    parts += [f"no tag {key}" for key in removed_tags]
    line = ", ".join(parts)
    return line if len(line) <= 256 else line[:252] + " ..."


def number_of(version: int | str, newest: int, aliases: Mapping[str, int]) -> int | None:
    """The number that a number, an alias, or `latest` means; None where it means none."""
    if isinstance(version, int):
        return version
    if version.isdecimal():
        return int(version)
    return newest if version == "latest" else aliases.get(version)


def key_is_taken(version: NewVersion, name: str, number: int) -> InvalidRecord:
    """The error for a key that stands for a version of another model."""
    return InvalidRecord(f"key {version.key!r} of model {version.name} already stands for {name} version {number}")


def no_model(name: str, names: Iterable[str]) -> NotFound:
    """The error for an unknown model, with the nearest names there are."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "nothing was registered yet"
    return NotFound(f"no registered model {name!r}; {hint}")


def no_version(name: str, version: int | str | None, versions: Sequence[int], aliases: Iterable[str]) -> NotFound:
    """The error for an unknown version or alias, naming those there are."""
    there = f"versions {', '.join(map(str, versions))}" if versions else "no version"
    named = ", ".join(sorted(aliases))
    return NotFound(
        f"model {name} has no version or alias {version!r}; it has {there}" + (f" and aliases {named}" if named else "")
    )


def _is_path(name: str) -> bool:
    return posixpath.normpath(name) != name or name == "." or name.startswith(("..", "/"))
