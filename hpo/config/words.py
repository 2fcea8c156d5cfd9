"""What other tools call things, and what they are called here."""

from collections.abc import Mapping

KEYS: Mapping[str, str] = {
    foreign: ours
    for ours, words in {
        "name": "study_name sweep_name title",
        "experiment": "experiment_name project",
        "description": "note notes comment",
        "metric.goal": "direction mode objective_direction optimize maximize minimize",
        "metric.target": "target_value stop_at",
        "objective.python": "function fn callable entrypoint entry_point module",
        "objective.command": "program script cmd argv args shell run",
        "objective.env": "environment env_vars environment_variables",
        "objective.cwd": "working_dir working_directory workdir",
        "objective.sklearn": "scikit-learn scikit_learn",
        "objective.sklearn.estimator": "model classifier regressor",
        "objective.sklearn.pipeline": "steps",
        "objective.sklearn.data": "dataset data_set",
        "objective.sklearn.data.test": "test_size test_share",
        "objective.sklearn.cv.folds": "n_splits n_folds",
        "objective.sklearn.scoring": "scorer scorers metrics",
        "parameters": "space search_space hyperparameters params param_grid param_distributions param_space",
        "engine.name": "library backend_engine",
        "engine.sampler": "method algorithm algo search_alg suggest",
        "engine.seed": "seed random_state random_seed rstate",
        "pruner": "early_terminate early_termination pruning scheduler",
        "budget.n_trials": "run_cap max_evals max_trials num_trials num_samples n_iter count trials evals",
        "budget.timeout": "time_limit max_time max_duration duration",
        "budget.patience": "early_stopping early_stop_rounds early_stopping_rounds",
        "parallel.n_jobs": "workers n_workers num_workers max_workers jobs concurrency max_concurrent parallelism",
        "tracker.uri": "storage tracking_uri db database store mlflow_uri mlflow tracking",
        "tracker.artifacts": "artifact_location artifact_uri artifact_root artifacts_dir",
        "register": "registry registration",
        "register.name": "model_name registered_model registered_model_name",
        "register.better_than": "baseline beats must_beat compare_to",
        "register.margin": "min_improvement min_delta",
        "register.seeds": "n_seeds replicates n_replicates repeats n_repeats",
    }.items()
    for foreign in words.split()
}
"""Foreign names of keys, anywhere but in a parameter."""

PLACED: Mapping[tuple[str, str], str] = {
    ("", "timeout"): "budget.timeout",
    ("budget", "target"): "metric.target",
    ("objective.sklearn.cv", "test_size"): "objective.sklearn.cv.holdout",
    ("objective.sklearn.cv", "random_state"): "objective.sklearn.cv.seed",
    ("objective.sklearn.data", "random_state"): "objective.sklearn.data.seed",
    ("objective", "time_limit"): "objective.timeout",
    ("objective.sklearn.resource", "low"): "objective.sklearn.resource.min",
    ("objective.sklearn.resource", "high"): "objective.sklearn.resource.max",
    ("objective.sklearn.resource", "eta"): "objective.sklearn.resource.factor",
    ("objective", "memory_limit"): "objective.memory",
    ("objective", "max_memory"): "objective.memory",
    ("parallel", "workers"): "parallel.n_jobs",
    ("register", "model"): "register.name",
    ("register", "threshold"): "register.when",
    ("register", "condition"): "register.when",
    ("register", "if"): "register.when",
    ("register", "top_n"): "register.top",
}
"""Names that mean something else in one section."""

PARAMETER_KEYS: Mapping[str, str] = {
    foreign: ours
    for ours, words in {
        "low": "min minimum lower lower_bound lb from start",
        "high": "max maximum upper upper_bound ub to stop end",
        "choices": "values options categories choice",
        "step": "q quantization quantize increment stepsize step_size",
        "log": "log_scale logscale logarithmic",
        "when": "if condition conditions depends_on only_if",
        "type": "dtype kind",
    }.items()
    for foreign in words.split()
}
"""Foreign names of keys in a parameter."""

PARAMETER_ADVICE: Mapping[str, str] = {
    "distribution": "write type: float or type: int, and log: true for a log scale",
    "prior": "write type: float or type: int, and log: true for a log scale",
    "value": "a constant is written without braces, such as 3 in x: 3",
    "scale": "write log: true for a log scale",
}
"""Keys of a parameter that have no single name here, with what to write."""

_LOG = "loguniform log_uniform log_uniform_values loguniform_values qloguniform q_log_uniform lognormal"
_FLOAT = "uniform quniform q_uniform q_uniform_values double real number continuous normal float32 float64"
_INT = "integer int_uniform randint uniformint quniformint discrete int32 int64 long"

TYPES: Mapping[str, str] = {
    **dict.fromkeys(_LOG.split(), "float', with 'log: true"),
    **dict.fromkeys(_FLOAT.split(), "float"),
    **dict.fromkeys(_INT.split(), "int"),
}
"""Foreign names of a parameter's type."""

VALUES: Mapping[str, str] = {
    foreign: ours
    for ours, words in {
        "maximize": "maximise max maximum higher up",
        "minimize": "minimise min minimum lower down",
        "tpe": "bayes bayesian tpesampler tpe.suggest",
        "random": "rand randomsampler randomsearch random_search",
        "grid": "gridsampler gridsearch grid_search",
        "cmaes": "cma cma-es cmaessampler",
        "gp": "gaussian gaussian_process gpsampler",
        "qmc": "sobol halton qmcsampler",
        "asha": "sha successive_halving successivehalvingpruner asynchyperband",
        "median": "medianpruner median_stopping medianstopping",
        "hyperband": "hyperbandpruner bohb",
        "loky": "process processes multiprocessing joblib",
        "threading": "thread threads",
        "serial": "sequential none sync",
        "best": "true top",
        "none": "false never",
    }.items()
    for foreign in words.split()
}
"""Foreign words for our values."""
