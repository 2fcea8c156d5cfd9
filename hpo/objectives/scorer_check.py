"""Whether scorers can score these targets at all, tried on an estimator that learns nothing."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.utils import _safe_indexing
from sklearn.utils.multiclass import type_of_target

from hpo.objectives.data import Table
from hpo.objectives.scoring import scorers_of
from hpo.objectives.validation import Split

_FOR_MORE_CLASSES = {
    "roc_auc": "roc_auc_ovr",
    "average_precision": "accuracy or f1_macro",
    "brier": "log_loss",
    "neg_brier_score": "neg_log_loss",
    **{name: f"{name}_macro" for name in ("f1", "precision", "recall", "jaccard")},
}


def scorer_problems(scoring: Sequence[str], table: Table, split: Split) -> Iterator[str]:
    """What each scorer says against the classes of `table.y`, one line a scorer; none where all can score them.

    Without it every trial would fail with the same words, after its fit.
    """
    fit, score = (_safe_indexing(table.y, rows) for rows in split)
    blank = DummyClassifier(strategy="prior").fit(np.zeros((len(fit), 1)), fit)
    kind = type_of_target(table.y)
    for name, scorer in scorers_of(scoring).items():
        try:
            scorer(blank, np.zeros((len(score), 1)), score)
        except Exception as error:
            instead = _FOR_MORE_CLASSES.get(name) if kind == "multiclass" else None
            hint = f"; for more than two classes write {instead}" if instead else ""
            yield f"scoring: {name} cannot score this target ({kind}): {' '.join(str(error).split())}{hint}"
