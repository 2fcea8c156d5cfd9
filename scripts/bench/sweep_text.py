"""The sweep that all measurements of ours share: five parameters of every kind, two metrics (see the objectives)."""

PARAMETERS = """parameters:
  a: {type: float, low: 0, high: 1}
  b: {type: float, low: 1e-5, high: 1, log: true}
  c: {type: int, low: 1, high: 100}
  d: [x, y, z]
  e: [true, false]
"""


def sweep_text(
    name: str,
    *,
    objective: str = "bench_objective:objective",
    engine: str = "optuna",
    sampler: str,
    trials: int,
    jobs: int = 1,
    backend: str = "serial",
    window: int | str | None = None,
    uri: str = "",
) -> str:
    """The text of sweep.yaml; without a window or a URI with those that are taken where none is written."""
    parallel = f"n_jobs: {jobs}, backend: {backend}" + (f", window: {window}" if window else "")
    tracker = f'tracker: {{uri: "{uri}", artifacts: mlruns, log_models: none}}\n' if uri else ""
    return (
        f"name: {name}\n"
        "metric: {name: loss}\n"
        f'objective: {{python: "{objective}"}}\n'
        f"{PARAMETERS}"
        f"engine: {{name: {engine}, sampler: {sampler}, seed: 1}}\n"
        f"budget: {{n_trials: {trials}}}\n"
        f"parallel: {{{parallel}}}\n"
        f"{tracker}"
    )
