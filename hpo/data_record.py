"""Data that was read, as MLflow records data sets; and what is read back of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hpo.masking import Secrets
from hpo.trial import InputFile
from trackers.records import Dataset

INPUT = "input"
"""The context of files that a sweep file names: nobody knows what they are read for."""


def dataset_of(read: InputFile) -> Dataset:
    """A file or folder that was read, as a data set of a run."""
    return Dataset(
        name=read.name,
        digest=read.digest,
        source_type="local",
        source=json.dumps({"uri": read.path}),
        schema=read.schema or None,
        profile=read.profile or None,
        context=read.context,
    )


def without_secrets_in(data: Dataset, secrets: Secrets) -> Dataset:
    """The data set with known secrets, and what looks like one, masked in all texts."""
    return replace(
        data,
        name=secrets.hide(data.name),
        source=secrets.hide_in_json(data.source),
        schema=data.schema and secrets.hide_in_json(data.schema),
        profile=data.profile and secrets.hide_in_json(data.profile),
    )


@dataclass(frozen=True)
class Column:
    """A column as its data set's profile has it: texts are '' where nothing is known."""

    type: str = ""
    digest: str = ""


@dataclass(frozen=True)
class DataFacts:
    """What is on record of a data set. `count` is the number of columns, which may be too many to be listed.

    `file` is the digest of the file that a table was read from, whose own digest is another one.
    """

    rows: int | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    count: int | None = None
    size: int | None = None
    version: str = ""
    source: str = ""
    file: str = ""

    @classmethod
    def of(cls, data: Dataset) -> "DataFacts":
        """What a data set's profile, schema and source say, whoever wrote them."""
        profile, schema, source = (_mapping(text) for text in (data.profile, data.schema, data.source))
        listed = _columns(profile.get("columns")) or _columns(schema.get("mlflow_colspec"))
        return cls(
            rows=_whole(profile.get("num_rows")),
            columns=listed,
            count=_whole(profile.get("num_columns")) or len(listed) or None,
            size=_whole(profile.get("bytes")),
            version=str(profile.get("version") or ""),
            file=str(profile.get("file") or ""),
            source=str(next((source[key] for key in ("uri", "path", "url") if source.get(key)), "")),
        )


def profile_of(data: Dataset) -> Mapping[str, object]:
    """All that a data set's profile says; empty where it says nothing that can be read."""
    return _mapping(data.profile)


def _columns(listed: object) -> dict[str, Column]:
    items = listed if isinstance(listed, list) else []
    return {
        str(item["name"]): Column(str(item.get("type") or ""), str(item.get("digest") or ""))
        for item in items
        if isinstance(item, dict) and "name" in item
    }


def _mapping(text: str | None) -> Mapping[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
