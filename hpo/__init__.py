"""tracked-hpo: one YAML file in, a registered, reproducible model out, and every trial on record."""

from importlib import import_module

__all__ = ["SweepResult", "TrialPruned", "load", "load_model", "resume", "run"]

_HOME = {
    "run": "hpo.search",
    "resume": "hpo.search",
    "load": "hpo.search",
    "load_model": "hpo.model_loading",
    "SweepResult": "hpo.result",
    "TrialPruned": "hpo.errors",
}


def __getattr__(name: str) -> object:
    """The public names, imported when first used: `import hpo` itself costs nothing."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'hpo' has no attribute {name!r}; it has: {', '.join(__all__)}")
