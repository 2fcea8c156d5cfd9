"""With which environment variables a worker process starts, so that the same trial computes the same there."""

from collections.abc import Mapping

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
HASH_SEED = "PYTHONHASHSEED"
PINNED_HASH_SEED = "0"
"""The order of sets of texts is the same in every process that starts with one seed; which one does not matter."""

SET_BY_LIBRARIES = ("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "_MLFLOW_TELEMETRY_SESSION_ID")
"""What scikit-learn and MLflow set when they are imported, for what is imported after them; it may reach a process that
has started already."""


def thread_variables(limit: int | None) -> dict[str, str]:
    """The environment that makes libraries start with this many threads; for a process that has not loaded them."""
    return {} if limit is None else dict.fromkeys(THREAD_VARIABLES, str(limit))


def worker_variables(inner_threads: int | None, environ: Mapping[str, str]) -> dict[str, str]:
    """What is set in a process that runs trials, beyond what it inherits: threads, and the seed of hashes.

    A seed of hashes that the user has set stays, since that was on purpose.
    """
    seed = {} if environ.get(HASH_SEED) else {HASH_SEED: PINNED_HASH_SEED}
    return {**thread_variables(inner_threads), **seed}


def set_by_libraries(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the environment that may be told to a process after its start."""
    return {name: environ[name] for name in SET_BY_LIBRARIES if name in environ}
