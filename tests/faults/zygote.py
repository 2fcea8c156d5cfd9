"""Forks drivers that have everything imported already, so that a hundred of them take seconds and not minutes.

Reads a line of JSON for each, `{"folder", "arguments", "environment", "stdout", "stderr"}`, and answers with its pid;
`{"wait": pid, "options"}` answers with how it ended. A driver is a process and session of its own, and truly killed.
"""

import json
import os
import sys
from pathlib import Path


def warm_up() -> None:
    import forked_child  # noqa: F401
    import sklearn.dummy  # noqa: F401
    import skops.io  # noqa: F401

    import hpo.pruners.optuna_pruner
    import hpo.samplers.hyperopt_sampler
    import hpo.search  # noqa: F401
    from hpo.cli import main, run_command, signals, watchers  # noqa: F401
    from hpo.space import FloatRange, Parameter, Space
    from trackers.opening import open_store
    from trackers.sql import sql_tracker  # noqa: F401

    open_store("memory://")
    from hpo.samplers.names import make_sampler
    from hpo.trial import Goal

    space = Space((Parameter("x", FloatRange(0.0, 1.0)),))
    make_sampler("optuna", "random", space, seed=1, goal=Goal.MINIMIZE, window=1, options={}).ask(range(1))


def be_driver(request: dict[str, object]) -> None:
    os.setsid()
    os.chdir(str(request["folder"]))
    for number, name in ((1, "stdout"), (2, "stderr")):
        descriptor = os.open(str(request[name]), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(descriptor, number)
    os.environ.update(dict(request["environment"]))  # type: ignore[call-overload]  # from JSON
    from trackers import failpoints

    failpoints.arm(os.environ)
    from hpo.cli.main import main

    main(list(request["arguments"]), prog_name="hpo")  # type: ignore[call-overload]


def forked(request: dict[str, object]) -> int:
    child = os.fork()
    if child == 0:
        from forked_child import ends_with

        ends_with(lambda: be_driver(request))
    return child


def main() -> None:
    warm_up()
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            pid, status = os.waitpid(request["wait"], request["options"])
            print(os.waitstatus_to_exitcode(status) if pid else "running", flush=True)
        else:
            print(forked(request), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.path.append(str(Path(__file__).parents[1]))
    main()
