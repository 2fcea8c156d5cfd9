"""What travels to the hosts of a cluster for all to read who can listen there: said once, with the way out."""

import logging
from functools import cache

from hpo.executors.remote.carried import secrets_sent
from hpo.executors.work import Work

log = logging.getLogger(__name__)


def say_what_can_be_read(address: str, work: Work) -> None:
    """For a line that others than this machine can reach; once, also where a sweep has several executors."""
    secrets = secrets_sent(work)
    _say(address, tuple(sorted(secrets.params)), has_password=bool(secrets.values))


@cache
def _say(address: str, params: tuple[str, ...], *, has_password: bool) -> None:
    log.warning("trials travel over %s signed, but not encrypted: use a network that you trust", address)
    if params:
        log.warning(
            "readable there are also the secrets %s: take them from the environment of the hosts instead "
            "(objective.secret_env, which does not travel)",
            ", ".join(f"parameters.{name}" for name in params),
        )
    if has_password:
        log.warning(
            "readable there is also the password in tracker.uri: leave it out, and put it into ~/.pgpass here and on "
            "the hosts"
        )
