"""What another Python of this machine has: the environment as it would be captured there."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.errors import ProvenanceError
from hpo.masking import hide_patterns
from hpo.provenance.environment import Environment

_ASK = """
import json, os, sys
from hpo.provenance.environment import captured_environment
allowed, settings = json.loads(sys.argv[1])
print(json.dumps(captured_environment(allowed, os.environ, **settings).to_json()))
"""


def environment_of(
    python: Path, allowed: Sequence[str], environ: Mapping[str, str], *,
    inner_threads: int | None = None, backend: str = "loky", command: bool = False,
) -> Environment:  # fmt: skip
    """As `captured_environment`, of a Python that can import this package, started with these variables.

    Raises ProvenanceError where it cannot.
    """
    settings = {"inner_threads": inner_threads, "backend": backend, "command": command}
    asked = [str(python), "-P", "-c", _ASK, json.dumps([list(allowed), settings])]
    try:
        done = subprocess.run(asked, env=dict(environ), capture_output=True, text=True, check=False)
    except OSError as error:
        raise ProvenanceError(f"{python} cannot be run: {error}") from error
    if done.returncode != 0:
        said = hide_patterns(done.stderr.strip())[-2000:]
        raise ProvenanceError(f"this version of hpo cannot run in {python}; replay with --env current\n{said}")
    return Environment.from_json(json.loads(done.stdout))
