"""How long, and how often, a client of an object store tries."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from trackers.errors import InvalidRecord

TIMEOUT = "HPO_ARTIFACTS_TIMEOUT"
RETRIES = "HPO_ARTIFACTS_RETRIES"


@dataclass(frozen=True)
class ClientLimits:
    """Seconds that one request may take, and how often it is sent again after an error that passes."""

    timeout: float = 60.0
    retries: int = 6

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "ClientLimits":
        """What the environment says, else the defaults; InvalidRecord for nonsense."""
        try:
            timeout, retries = (
                float(environment.get(TIMEOUT) or cls.timeout), int(environment.get(RETRIES) or cls.retries)
            )  # fmt: skip
        except ValueError:
            timeout, retries = math.nan, 0
        if not (0 < timeout < math.inf and 0 <= retries <= 100):
            raise InvalidRecord(f"${TIMEOUT} must be seconds above 0, ${RETRIES} a number from 0 to 100")
        return cls(timeout, retries)
