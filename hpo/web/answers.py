"""Answers of the server: strict JSON, compressed where that pays, and errors that say the rule and the way out."""

import gzip
import json
from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

from hpo.masking import hide_patterns

_WORTH_IT = 1024
"""Bytes from which on an answer is compressed."""


def json_bytes(data: object) -> bytes:
    """Strict JSON; ValueError for NaN and infinity, which no caller may leave in."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")  # half of a surrogate pair becomes JSON's own escape


@dataclass(frozen=True)
class Body:
    """The bytes of an answer, compressed once however often it is sent; `tag` tells one content from another."""

    content: bytes
    tag: str = ""
    media_type: str = "application/json"

    @cached_property
    def compressed(self) -> bytes:
        """By gzip, quickly: the content is asked for seldom, and mostly by this machine."""
        return gzip.compress(self.content, 1, mtime=0)


def answer(request: Request, data: object) -> Response:
    """Data as JSON."""
    return send(request, Body(json_bytes(data)))


def send(request: Request, body: Body) -> Response:
    """The bytes as the browser wants them; nothing where it has them already."""
    headers = {"vary": "accept-encoding"}
    if body.tag:
        headers["etag"] = f'"{body.tag}"'
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
    content = body.content
    if len(content) > _WORTH_IT and "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"], content = "gzip", body.compressed
    return Response(content, headers=headers, media_type=body.media_type)


def refusal(status: int, rule: str, message: str, remedy: str = "") -> Response:
    """An error as JSON, without secrets."""
    told = {"rule": rule, "message": hide_patterns(message), "remedy": hide_patterns(remedy)}
    return Response(json_bytes({"error": told}), status, media_type="application/json")
