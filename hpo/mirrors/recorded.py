"""Which mirrors a sweep has: those it is started with stand on its run."""

import json
from collections.abc import Mapping, Sequence

from hpo.places import server_fault

MIRRORS_TAG = "hpo.mirrors"


def mirrors_tag(mirrors: Sequence[str]) -> Mapping[str, str]:
    """The tag that names a sweep's mirrors."""
    return {MIRRORS_TAG: json.dumps(list(mirrors))}


def mirrors_in(tags: Mapping[str, str]) -> tuple[str, ...]:
    """The mirrors that a sweep's tags name; what is no mirror's address is left out."""
    try:
        found = json.loads(tags.get(MIRRORS_TAG, "[]"))
    except ValueError:
        return ()
    if not isinstance(found, list):
        return ()
    return tuple(uri for uri in found if isinstance(uri, str) and not server_fault(uri))
