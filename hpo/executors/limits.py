"""What one trial may use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes of one trial; None: as much as it likes."""

    timeout: float | None = None
    memory: int | None = None

    @property
    def any(self) -> bool:
        """Whether there is something to watch."""
        return self.timeout is not None or self.memory is not None
