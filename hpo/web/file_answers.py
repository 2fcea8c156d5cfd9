"""Files of trials: what they printed and what they kept, by the manifest, sent so that nothing in them runs.

A file in an object store is not fetched: the page calls nobody.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from starlette.responses import Response, StreamingResponse

from hpo.cli.text import lines
from hpo.views.run_fields import artifact_of
from hpo.views.run_files import files_of, is_in_place, is_remote
from hpo.web.answers import refusal
from hpo.web.headers import SANDBOX
from trackers.artifacts import ArtifactFolder
from trackers.errors import NotFound
from trackers.opening import Store
from trackers.records import Run

LOG_FILE = "logs/output.log"
TAIL = 65_536
MOST_TAIL = 4 << 20
_PIECE = 256 << 10
_TEXTS = (".txt", ".log", ".json", ".csv", ".yaml", ".yml", ".md", ".toml", ".out", ".err")
_SAFE = re.compile(r"[^A-Za-z0-9._-]")


def log_answer(store: Store, run_id: str, tail: int) -> Response:
    """The end of what a trial printed, with everything that could steer a terminal shown as its code."""
    run = store.tracker.get(run_id)
    kept = next((file for file in files_of(store.tracker, run) if file.path == LOG_FILE), None)
    if kept is None:
        return _text("")
    if refused := _refusal(run):
        return refused
    with ArtifactFolder().open(run.artifact_uri, LOG_FILE) as file:
        skipped = max(0, kept.size - min(max(tail, 1), MOST_TAIL))
        file.seek(skipped)
        text = file.read(MOST_TAIL).decode("utf-8", "backslashreplace")
    return _text(f"[the first {skipped:,} bytes are left out]\n{text}" if skipped else text)


def artifact_answer(store: Store, asked: str) -> Response:
    """A kept file as a download that no browser opens."""
    run, artifact = artifact_of(store.tracker, asked)
    if refused := _refusal(run):
        return refused
    file = ArtifactFolder().open(run.artifact_uri, artifact.path)
    name = _SAFE.sub("_", artifact.path.rpartition("/")[2]).lstrip(".")[-128:] or "file"
    is_text = name.lower().endswith(_TEXTS)
    return StreamingResponse(
        _pieces(file),
        media_type="text/plain; charset=utf-8" if is_text else "application/octet-stream",
        headers={"content-disposition": f'attachment; filename="{name}"', "content-security-policy": SANDBOX},
    )


def _refusal(run: Run) -> Response | None:
    if is_remote(run):
        message = "the files of this run lie in an object store, which this page does not call"
        return refusal(409, "artifacts", message, f"hpo logs {run.id[:12]}")
    if not is_in_place(run):
        raise NotFound("the files of this run do not lie where files of runs do")
    return None


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _text(text: str) -> Response:
    return Response(lines(text), media_type="text/plain; charset=utf-8", headers={"content-security-policy": SANDBOX})
