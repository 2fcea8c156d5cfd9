"""Asking an MLflow server: what its client needs to find in the environment, and its faults as ours."""

import contextlib
import os
import re
import warnings
from collections.abc import Iterator, Mapping

from trackers.errors import MirrorRefused, MirrorUnavailable

ENVIRONMENT: Mapping[str, str] = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # it would repeat requests that make things, and so make them twice
    "MLFLOW_TRUNCATE_LONG_VALUES": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""What MLflow's client has to find in the environment of a process that mirrors."""
TIMEOUT = ("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
"""The same, unless the user has set it: seconds that a request may take."""

USER, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
MISSING = "RESOURCE_DOES_NOT_EXIST"
THERE_ALREADY = "RESOURCE_ALREADY_EXISTS"
_REASONS = (
    (re.compile(r"NewConnectionError|Connection refused"), "no connection"),
    (re.compile(r"NameResolutionError"), "no host of that name"),
    (re.compile(r"ConnectTimeout|timed out|timeout"), "no answer in time"),
    (re.compile(r"Remote end closed|Connection aborted|Connection reset|IncompleteRead"), "the connection was cut"),
    (re.compile(r"SSLError|CERTIFICATE"), "its certificate is not trusted"),
    (re.compile(r"too many (\d+) error"), r"it answers with an error"),
)


def prepare_environment() -> None:
    """Sets this process up for MLflow's client; only for processes that do nothing else with MLflow."""
    os.environ.update(ENVIRONMENT)
    os.environ.setdefault(*TIMEOUT)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keeps warnings to itself: those of MLflow's imports, and that stages are going out of use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def asking(uri: str, what: str) -> Iterator[None]:
    """MLflow's exceptions, and those of what it sends files with, as ours."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]  # MLflow has no types here
        raise _fault(uri, what, error.error_code, status, str(error)) from error
    except RequestException as error:
        status = error.response.status_code if error.response is not None else 503
        raise _fault(uri, what, "", status, str(error)) from error
    except (OSError, ImportError, ValueError) as error:  # an artifact store that is reached without the server
        raise MirrorRefused(f"{uri}: {what}: {type(error).__name__}: {error}") from error


def _fault(uri: str, what: str, code: str, status: int, text: str) -> MirrorUnavailable | MirrorRefused:
    if status == 401:
        return MirrorUnavailable(f"{uri} does not let {_who()} in (401); set {USER} and {PASSWORD}, or {TOKEN}")
    if status == 403:
        return MirrorUnavailable(f"{uri} does not let {_who()} write {what} (403); ask its administrator")
    if code == "ENDPOINT_NOT_FOUND":
        return MirrorRefused(f"{uri} knows no such request ({what}): is it an MLflow tracking server?", code)
    if status >= 500 or status in (408, 429):
        return MirrorUnavailable(f"{uri} cannot be reached: {_reason(text)}")
    return MirrorRefused(f"{uri}: {what}: {' '.join(text.split())[:500]}", code)


def _who() -> str:
    user = os.environ.get(USER)
    return f"user {user!r}" if user else "the holder of this token" if os.environ.get(TOKEN) else "us"


def _reason(text: str) -> str:
    """Why, in a few words: MLflow says it at length, and names the same host three times."""
    found = next((reason for pattern, reason in _REASONS if pattern.search(text)), None)
    return found or " ".join(text.split())[:300]
