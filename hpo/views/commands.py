"""Commands that people copy from a page."""

import shlex
from collections.abc import Mapping

from hpo.masking import hide_patterns
from hpo.places import default_store
from trackers.records import Run


class Commands:
    """Writes commands for one store: it is named unless the environment names it."""

    def __init__(self, uri: str, environment: Mapping[str, str]) -> None:
        self.store = hide_patterns(uri)
        self._tracker = "" if uri == default_store(environment) else f" --tracker {shlex.quote(self.store)}"

    def __call__(self, verb: str, *words: str) -> str:
        """`hpo VERB WORDS`, each word quoted where a shell needs that."""
        return " ".join(["hpo", verb, *map(shlex.quote, words)]) + self._tracker


def named(run: Run) -> str:
    """How a command names a sweep: by its name, unless a shell or `hpo` could take that for something else."""
    is_plain = run.name.isprintable() and run.name.strip() == run.name and not run.name.startswith(("-", "@"))
    return run.name if run.name and is_plain and "#" not in run.name else run.id
