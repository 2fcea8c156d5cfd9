"""The taxi-duration pipeline as plain functions: preprocess, train, search, register."""

from importlib import import_module

__all__ = ["preprocess", "register", "search", "train"]

_HOME = {
    "preprocess": "hpo.pipeline.preprocessing",
    "train": "hpo.pipeline.training",
    "search": "hpo.pipeline.searching",
    "register": "hpo.pipeline.registering",
}


def __getattr__(name: str) -> object:
    """The steps, imported when first used: a worker that runs trials needs neither pandas nor the store."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'hpo.pipeline' has no attribute {name!r}; it has: {', '.join(__all__)}")
