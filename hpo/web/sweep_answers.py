"""The answer about one sweep: what the list says of it, and everything else that is known."""

from hpo.views.commands import Commands
from hpo.views.space_fields import recorded_space, space_fields
from hpo.views.sweep_fields import left, sweep_details, sweep_row
from hpo.views.sweep_list import driver_of, registered_by_sweep
from hpo.views.winner_fields import winner_fields
from hpo.web.watched import Seen, Watched
from trackers.opening import Store


def sweep_answer(store: Store, watched: Watched, seen: Seen, *, now: int, commands: Commands) -> dict[str, object]:
    """One sweep, with the counts and the best of the trials as they were last seen."""
    run, counts, best = watched.parent, watched.table.counts(), watched.table.best()
    registered = registered_by_sweep(store.registry.versions()).get(run.id, ())
    return {
        **sweep_row(run, counts=counts, now=now, registered=registered),
        "revision": seen.revision,
        "metric": run.sweep.metric if run.sweep else watched.metric,
        "goal": watched.table.goal.value,
        "goal_is_known": run.sweep is not None,
        "best": None if best is None else {"value": best[0], "number": best[1], "id": best[2]},
        "left": left(run, counts),
        "winner": winner_fields(store, run, best[2] if best else None),
        "space": space_fields(recorded_space(run)),
        **sweep_details(run, commands=commands, driver=driver_of(store, run), best_id=best[2] if best else None),
    }
