"""The errors of object stores as ours, made of parts that are known to hold no secret.

What a store answers may quote a signature or an access key, and a URL may carry a token, so neither is ever shown:
only the status, the error's code, and what is to be done. For the same reason our errors have no cause.
"""

import re

from trackers.artifacts.uris import Location
from trackers.errors import NotPermitted, StoreUnavailable, TrackerError

_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]{1,40}?)(?=[:,\n]|$)")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "InvalidResourceName")
_OTHER_REGION = ("PermanentRedirect", "301 Moved", "AuthorizationHeaderMalformed", "IllegalLocationConstraint")
_REFUSED = re.compile(r"\b40[13] ")
_TIMED_OUT = re.compile(r"timed out|TimedOut|TimeoutError")
_METADATA_SERVICE = "169.254.169.254"

CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN too where they are temporary)",
    "azure": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth application-default login",
    "memory": "nothing",
}
_ENDPOINT = {
    "s3": "AWS_ENDPOINT_URL_S3",
    "azure": "BlobEndpoint in AZURE_STORAGE_CONNECTION_STRING",
    "gs": "STORAGE_EMULATOR_HOST",
    "memory": "nothing",
}


def code_in(text: str) -> str:
    """What an answer says of the fault: its code and status, and nothing else of it."""
    found = [match[1] for match in (_CODE.search(text), _STATUS.search(text)) if match]
    return ", ".join(found)


def is_no_bucket(text: str) -> bool:
    """Whether an answer says that the bucket itself is not there."""
    return any(word in text for word in _NO_BUCKET)


def no_bucket(place: Location) -> TrackerError:
    """There is no such bucket."""
    what = "container" if place.kind == "azure" else "bucket"
    return NotPermitted(
        f"{place}: there is no {what} {place.bucket!r}; make it, or name another one in tracker.artifacts "
        f"(is {_ENDPOINT[place.kind]} meant to be set?)"
    )


def refused(place: Location, detail: str = "") -> TrackerError:
    """Access is denied."""
    return NotPermitted(
        f"{place}: access denied{_in_brackets(detail)}; credentials come from the environment: "
        f"{CREDENTIALS[place.kind]}; they must allow to list, read, write and delete there"
    )


def no_credentials(place: Location) -> TrackerError:
    """The environment holds none."""
    return NotPermitted(f"{place}: no credentials in the environment; set {CREDENTIALS[place.kind]}")


def unavailable(place: Location, text: str) -> TrackerError:
    """The store does not answer as it should; `text` is what its client says, which is not shown as it is."""
    if _METADATA_SERVICE in text:
        return no_credentials(place)
    detail = code_in(text)
    if _REFUSED.search(detail):
        return refused(place, detail)
    if any(word in text for word in _OTHER_REGION):
        return NotPermitted(f"{place}: the bucket is in another region{_in_brackets(detail)}; set AWS_REGION to it")
    if not detail:
        detail = "timed out" if _TIMED_OUT.search(text) else "no connection"
    return StoreUnavailable(
        f"{place}: the object store failed, also when asked again{_in_brackets(detail)}; see that it can be reached "
        f"from here (endpoint: {_ENDPOINT[place.kind]})"
    )


def wrong_endpoint(place: Location, name: str) -> TrackerError:
    """A variable names no endpoint; its value is not shown, for it may hold a password."""
    return NotPermitted(
        f"{place}: ${name} must be http://host or https://host, without user and password; else unset it"
    )


def not_installed(place: Location, extra: str) -> TrackerError:
    """The library that speaks to the store is missing."""
    return NotPermitted(f"{place}: what opens it is not installed; install it with: pip install 'tracked-hpo[{extra}]'")


def forked(place: Location) -> TrackerError:
    """This process is a fork of one that had used the store; its client's threads are not in this one."""
    return StoreUnavailable(
        f"{place}: this process was forked from one that keeps files there, and cannot; start processes with "
        "multiprocessing's method 'spawn' or 'forkserver', or keep files in the parent"
    )


def _in_brackets(detail: str) -> str:
    return f" ({detail})" if detail else ""
