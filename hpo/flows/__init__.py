"""Sweeps as Prefect flows: preprocess, search, register, promote; with the extra [prefect], imported when asked for."""

from importlib import import_module

__all__ = ["pipeline_flow", "sweep_flow"]


def __getattr__(name: str) -> object:
    """The flows, imported when first used: nothing else of `hpo` needs Prefect."""
    if name in __all__:
        return getattr(import_module("hpo.flows.prefect_flows"), name)
    raise AttributeError(f"module 'hpo.flows' has no attribute {name!r}; it has: {', '.join(__all__)}")
