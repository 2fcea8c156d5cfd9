"""The pilot as it is sent to clusters, which may have no hpo of ours to call."""

from collections.abc import Callable


def sent_pilot() -> Callable[[str], str]:
    """What a task runs: `pilot.run`, or where it cannot be imported a report that says so.

    It is a function within this one so that cloudpickle sends its code and not its name.
    """

    def pilot(errand: str) -> str:
        import json
        import socket
        import sys

        try:
            from hpo.executors.remote.pilot import run
        except ImportError as error:
            text = f"host {socket.gethostname()} cannot import hpo in {sys.executable} ({error}); install it there"
            return json.dumps({"kind": "refused", "text": text})
        try:
            return run(errand)
        except Exception as error:  # clusters log what fails with its arguments, and the driver's key is one
            text = f"host {socket.gethostname()}: no slot host can be started: {type(error).__name__}: {error}"
            return json.dumps({"kind": "lost", "text": text})

    return pilot
