"""The page of one sweep as one file that opens from disk: scripts, styles and data inside, nothing is fetched."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from hpo.report.answers import Answers
from hpo.report.joining import joined

STATIC = Path(__file__).resolve().parent.parent / "web" / "static"


def html_report(answers: Answers, title: str, folder: Path = STATIC) -> str:
    """The file's text. Its own policy lets only these very scripts and styles run, whatever stands in the data."""
    modules = {
        path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.js") if path.name != "echarts.min.js"
    }
    library = _closed((folder / "echarts.min.js").read_text(encoding="utf-8"))
    script = _closed(joined(modules))
    style = (folder / "style.css").read_text(encoding="utf-8")
    icon = base64.b64encode((folder / "icon.svg").read_bytes()).decode()
    policy = (
        f"default-src 'none'; script-src {_source(library)} {_source(script)}; style-src {_source(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return _PAGE.format(
        title=_text(title), policy=policy, icon=icon, style=style, library=library, script=script,
        data=data_text({"page": answers.page, "answers": answers.answers}),
    )  # fmt: skip


def data_text(data: Mapping[str, object]) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _closed(script: str) -> str:
    """Script text that cannot end its element, nor open a comment that swallows it."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<link rel="icon" type="image/svg+xml" href="data:image/svg+xml;base64,{icon}">
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top" id="top"></header>
<main id="main" tabindex="-1"></main>
<div id="announcer" class="unseen" role="status" aria-live="polite"></div>
<noscript><p>This report draws with JavaScript.</p></noscript>
<script type="application/json" id="report-data">{data}</script>
<script>{library}</script>
<script>{script}</script>
</body>
</html>
"""
