"""One run of a tracker in memory."""

from dataclasses import dataclass, field, replace

from trackers.memory_datasets import Used
from trackers.records import Artifact, LoggedModel, Run, RunEnded, RunUpdated, Status, SweepFacts, TrialFacts
from trackers.rows import NAME_TAG, PARENT_TAG, MetricRow, below, latest, merged_params, metric_row


@dataclass
class KeptRun:
    """A run as kept, changed in place; what its fields hold is frozen, or its own."""

    id: str
    name: str
    experiment: str
    status: Status
    started: int | None
    ended: int | None
    artifact_uri: str
    user: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[MetricRow, None] = field(default_factory=dict)
    latest: dict[str, MetricRow] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    models: dict[str, LoggedModel] = field(default_factory=dict)
    datasets: Used = field(default_factory=dict)
    trial: TrialFacts | None = None
    sweep: SweepFacts | None = None
    deleted: int | None = None

    def as_run(self) -> Run:
        """The run as it is read."""
        return Run(
            id=self.id,
            name=self.name,
            experiment=self.experiment,
            status=self.status,
            started=self.started,
            ended=self.ended,
            artifact_uri=self.artifact_uri,
            parent_id=self.tags.get(PARENT_TAG),
            params=merged_params(self.params, self.trial),
            metrics={key: self.latest[key].number for key in sorted(self.latest)},
            tags=dict(sorted(self.tags.items())),
            user=self.user,
            trial=self.trial,
            sweep=self.sweep,
            models=[
                replace(model, uri=below(self.artifact_uri, model.path))
                for model in sorted(self.models.values(), key=lambda model: (model.name, model.model_id))
            ],
            deleted=self.deleted,
            datasets=[data for _, data in sorted(self.datasets.items())],
        )

    def copy(self) -> "KeptRun":
        """The same, that later changes of this one leave alone."""
        return replace(
            self,
            tags=dict(self.tags),
            params=dict(self.params),
            metrics=dict(self.metrics),
            latest=dict(self.latest),
            artifacts=dict(self.artifacts),
            models=dict(self.models),
            datasets=dict(self.datasets),
        )

    def clear_earlier(self, uri: str) -> None:
        """A run holds what one attempt made, and no mix."""
        self.models = {key: model for key, model in self.models.items() if not model.path}
        self.metrics, self.latest, self.artifacts, self.datasets, self.artifact_uri = {}, {}, {}, {}, uri

    def add(self, change: RunUpdated | RunEnded) -> None:
        """What both of these bring."""
        rows = [metric_row(point) for point in change.points]
        self.metrics |= dict.fromkeys(rows)
        self.latest = latest(rows, self.latest)
        self.tags |= change.tags
        self.name = change.tags.get(NAME_TAG, self.name)
        self.artifacts |= {artifact.path: artifact for artifact in change.artifacts}
        self.models |= {model.model_id: model for model in change.models}

    def remove(self, change: RunUpdated) -> None:
        """What this one takes away."""
        for gone in change.removed_artifacts:
            for path in [
                path for path in self.artifacts if path == gone or (gone[-1:] == "/" and path.startswith(gone))
            ]:
                del self.artifacts[path]
        for model_id in change.removed_models:
            self.models.pop(model_id, None)
        for key in change.removed_tags:
            self.tags.pop(key, None)
