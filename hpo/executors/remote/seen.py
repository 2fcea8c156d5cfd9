"""Whether a host sees the driver's files: small files left where it is to look for them."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Probe:
    """A file with a random text, which nobody can know who does not see it."""

    path: Path
    token: str

    @classmethod
    def left_in(cls, folder: Path) -> "Probe":
        """A new one, in a folder that is made if needed; OSError where it cannot be written."""
        token = secrets.token_hex(16)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".hpo-probe-{token[:8]}"
        path.write_text(token, "ascii")
        return cls(path, token)

    @property
    def facts(self) -> dict[str, str]:
        """All of it, as JSON has it."""
        return {"path": str(self.path), "token": self.token}

    def remove(self) -> None:
        """Takes it away; safe to call twice."""
        with suppress(OSError):
            self.path.unlink()


def sees(look: object) -> dict[str, bool]:
    """Which of the named probes are seen here."""
    return {str(name): _is_seen(probe) for name, probe in look.items()} if isinstance(look, dict) else {}


def _is_seen(probe: object) -> bool:
    if not isinstance(probe, dict):
        return False
    try:
        with Path(str(probe.get("path"))).open("rb") as file:
            return file.read(100).decode("ascii", "replace") == probe.get("token")
    except OSError:
        return False
