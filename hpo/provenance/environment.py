"""Which Python and which packages ran, on which machine, with which settings."""

import hashlib
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from hpo.masking import Secrets
from hpo.provenance import machine
from hpo.provenance.distributions import installed
from hpo.worker_variables import HASH_SEED, THREAD_VARIABLES, thread_variables, worker_variables

PYTHON_TAG = "hpo.python"
ENVIRONMENT_TAG = "hpo.environment"
VARIABLES = (
    HASH_SEED,
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "MKL_CBWR",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "TZ",
    "LC_ALL",
    "LANG",
)
"""The environment variables that are recorded of every sweep: those that decide how numbers and texts are computed."""

_HINTS = ("kernel", "memory", "libraries", "paths")
"""Facts that help to understand a difference, but differ themselves where nothing that matters does."""


@dataclass(frozen=True)
class Environment:
    """What a trial runs in.

    `platform` names the system and its C library, whose functions numbers go through, `kernel` the system's release.
    `cores` are those it may use, `memory` is in bytes. `packages` has every installed distribution by its normalised
    name with the exact version; `sources` the direct URL of those that came from none of the indexes, in the way of a
    requirements file (`git+https://host/project@commit`, `-e file:///folder`). `variables` are allow-listed ones,
    `threads` those that say how many threads a library starts, as they are in a trial, with `inner_threads` and
    `backend`. `libraries` are the numeric ones that were loaded (BLAS, OpenMP) and `paths` the folders on Python's
    search path that hold neither its own modules nor installed ones: both depend on when one looks, so they are hints.
    """

    python: str = ""
    implementation: str = ""
    platform: str = ""
    kernel: str = ""
    machine: str = ""
    cpu: str = ""
    cores: int = 0
    memory: int = 0
    gpus: Sequence[str] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    threads: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    paths: Sequence[str] = ()

    def to_json(self) -> dict[str, object]:
        """All facts as plain data."""
        return {**asdict(self), "gpus": list(self.gpus), "paths": list(self.paths)}

    def identity(self) -> dict[str, object]:
        """The facts that can matter to what a trial computes, for a digest: equal for equal environments."""
        return {name: value for name, value in self.to_json().items() if name not in _HINTS}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """As it was recorded; facts that this version does not know are left out, missing ones are empty.

        ValueError for a fact that is not of its kind.
        """
        if not isinstance(data, Mapping):
            raise ValueError("environment is no object")
        empty = cls()
        known = {each.name: getattr(empty, each.name) for each in fields(cls)}
        facts = {name: _of_kind(name, data[name], like) for name, like in known.items() if name in data}
        return cls(**facts)  # type: ignore[arg-type]  # checked


def _of_kind(name: str, value: object, like: object) -> object:
    """A recorded fact as the field has it that is `like` this when empty."""
    if isinstance(like, tuple) and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(like, dict) and isinstance(value, Mapping):
        if all(isinstance(part, str) for item in value.items() for part in item):
            return dict(value)
    elif isinstance(like, str | int) and type(value) is type(like):
        return value
    raise ValueError(f"environment.{name} is not what is recorded there")


def captured_environment(
    allowed: Sequence[str], environ: Mapping[str, str], *,
    inner_threads: int | None = None, backend: str = "loky", command: bool = False,
) -> Environment:  # fmt: skip
    """What trials run in that this process starts; takes some 10 ms.

    `allowed` names environment variables that are recorded besides `VARIABLES`, secrets in them masked. `inner_threads`
    and `backend` are the sweep's, `command` says whether its trials are programs: where trials run in processes of
    their own, these start with fixed settings.
    """
    has_processes = command or backend not in ("threading", "serial")
    fixed = worker_variables(inner_threads, environ) if has_processes else {}
    distributions = installed()
    return Environment(
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        platform=_system(),
        kernel=platform.release(),
        machine=platform.machine(),
        cpu=machine.processor(),
        cores=machine.usable_cores(),
        memory=machine.physical_memory(),
        gpus=tuple(machine.graphics_cards()),
        packages={each.name: each.version for each in distributions},
        sources={each.name: each.source for each in distributions if each.source},
        variables=_variables(allowed, {**environ, **fixed}),
        threads=_threads(environ, inner_threads, backend),
        libraries=_libraries(),
        paths=_paths(),
    )


def environment_tags() -> Mapping[str, str]:
    """The version of Python, and a digest of all installed packages with their versions: equal for equal sets."""
    packages = [f"{each.name}-{each.version}" for each in installed()]
    digest = hashlib.sha256("\n".join([platform.python_version(), *packages]).encode()).hexdigest()
    return {PYTHON_TAG: platform.python_version(), ENVIRONMENT_TAG: f"{len(packages)} packages, sha256 {digest[:36]}"}


def _system() -> str:
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return ", ".join(part for part in (platform.system(), " ".join(platform.libc_ver())) if part.strip())


def _variables(allowed: Sequence[str], environ: Mapping[str, str]) -> Mapping[str, str]:
    names = [name for name in dict.fromkeys([*VARIABLES, *allowed]) if name not in THREAD_VARIABLES]
    return Secrets().hide_in({name: environ[name] for name in sorted(names) if name in environ})


def _threads(environ: Mapping[str, str], inner_threads: int | None, backend: str) -> Mapping[str, str]:
    given = {name: environ[name] for name in THREAD_VARIABLES if name in environ}
    limit = "free" if inner_threads is None else str(inner_threads)
    return {**given, **thread_variables(inner_threads), "inner_threads": limit, "backend": backend}


def _libraries() -> Mapping[str, str]:
    if "numpy" not in sys.modules:
        return {}
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]  # it has no types

    found = {}
    for facts in threadpool_info():
        path = Path(facts["filepath"])
        words = (facts.get(key) for key in ("internal_api", "version", "architecture", "threading_layer"))
        found[f"{path.parent.name}/{path.name.partition('-')[0]}"] = " ".join(str(word) for word in words if word)
    return dict(sorted(found.items()))


def _paths() -> tuple[str, ...]:
    own = [Path(prefix) for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}]
    entries = (Path(entry) for entry in dict.fromkeys(sys.path) if entry)
    outside = (path for path in entries if not any(prefix in path.parents for prefix in own))
    folders = (path for path in outside if path.name not in ("site-packages", "dist-packages") and path.is_dir())
    return tuple(str(path) for path in folders)
