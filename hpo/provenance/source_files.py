"""Which files are code, by name, size and look; which hold keys and are never taken."""

import os
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from hpo.provenance.code import MIB

LARGEST = MIB
"""Source files that are larger are taken for data."""
_LARGEST_CONFIG = 64 * 1024
_CODE = frozenset(
    """
    .py .pyi .pyx .pxd .pxi .ipynb .sh .bash .zsh .fish .r .rmd .jl .c .h .cc .cpp .cxx .hh .hpp .cu .cuh .rs .go .java
    .scala .kt .js .mjs .cjs .ts .sql .awk .sed .pl .pm .lua .m .f .f77 .f90 .f95 .hs .ml .rb .php .cs .swift .proto
    .j2 .jinja .mako .mk .cmake .gradle .dockerfile
    """.split()  # noqa: SIM905  # a list of quoted words reads worse
)
_CONFIG = frozenset([".yaml", ".yml", ".toml", ".json", ".cfg", ".ini", ".conf", ".properties", ".hcl", ".jsonnet"])
_NAMES = frozenset(["makefile", "dockerfile", "mlproject", "pipfile", "snakefile", "justfile", "cmakelists.txt"])
_NAMES_LIKE = ("requirements*.txt", "constraints*.txt", ".gitattributes", ".gitmodules")

KEYS = (
    ".env*", "*.env", ".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".htpasswd", ".git-credentials", ".boto",
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.p8", "*.der", "*.gpg", "*.asc",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "credentials", "credentials.*", "*[-_]credentials.*", ".s3cfg",
    "secret.*", "secrets.*", "*.secret", "*.secrets", "service[-_]account*.json", "kubeconfig",
    "*.tfvars", "*.tfstate", "*.ovpn",
)  # fmt: skip
"""Names of files that hold keys and passwords by what they are."""
_KEY_FOLDERS = frozenset([".ssh", ".aws", ".gnupg", ".kube", ".azure", ".gcloud"])
_SOURCES_ANYWAY = (".py", ".pyi", ".pyx", ".ipynb")


def is_key_file(path: str) -> bool:
    """Whether a file is never taken, by its name: `.env`, keys, credentials. Python modules may have such a name."""
    *folders, name = path.lower().split("/")
    if not _KEY_FOLDERS.isdisjoint(folders):
        return True
    if name.endswith(_SOURCES_ANYWAY):
        return False
    return any(fnmatchcase(name, pattern) for pattern in KEYS)


def is_source_name(path: str) -> bool:
    """Whether a file looks like code or its configuration by name."""
    name = path.rpartition("/")[2].lower()
    if PurePosixPath(name).suffix in _CODE | _CONFIG or name in _NAMES:
        return True
    return any(fnmatchcase(name, pattern) for pattern in _NAMES_LIKE)


def is_program_name(path: str) -> bool:
    """Whether a file looks like code by name, and not like its configuration."""
    return PurePosixPath(path.lower()).suffix in _CODE


def is_script(path: Path) -> bool:
    """Whether a file without a telling name is a program in a script's language: it begins with `#!`."""
    try:
        if path.suffix or not path.is_file() or not os.access(path, os.X_OK):
            return False
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def too_large(path: str, size: int) -> bool:
    """Whether a file of that name has a size that code and configuration do not have."""
    is_config = PurePosixPath(path.lower()).suffix in _CONFIG
    return size > (_LARGEST_CONFIG if is_config else LARGEST)


def is_text(content: bytes) -> bool:
    """Whether content is text, as git tells: no NUL in its first 8,000 bytes."""
    return b"\0" not in content[:8000]
