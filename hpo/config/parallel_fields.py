"""The sweep file's keys for where trials run: on this machine, or on the hosts of a cluster."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from hpo.config import words
from hpo.config.cluster_address import address_fault
from hpo.config.device_fields import DeviceKeys
from hpo.config.fields import CallablePath, Text, broken
from hpo.config.nearest import did_you_mean

BACKENDS = ("loky", "threading", "serial", "dask", "ray")
JOBLIB = r"^joblib:[\w.-]+$"
LISTEN = r"^(\[[0-9a-fA-F:.]+\]|[^:\[\]/\s]+)(:[0-9]{1,5})?$"


def _known_backend(value: object) -> object:
    if not isinstance(value, str) or value in BACKENDS or re.fullmatch(JOBLIB, value):
        return value
    hint = did_you_mean(value, BACKENDS, words.VALUES)
    raise broken(f"'{value}' is not one of {', '.join(BACKENDS)}, joblib:NAME{hint}")


def _place(value: str) -> str:
    if not re.fullmatch(LISTEN, value) or int(value.rpartition("]")[2].partition(":")[2] or 0) > 65_535:
        raise broken(f"must be HOST or HOST:PORT of this machine, such as 10.0.0.5:9700, got '{value}'")
    return value


Backend = Annotated[
    str,
    BeforeValidator(_known_backend),
    WithJsonSchema({"anyOf": [{"enum": list(BACKENDS)}, {"type": "string", "pattern": JOBLIB}]}),
]
Listen = Annotated[Text, AfterValidator(_place), Field(pattern=LISTEN, examples=["10.0.0.5:9700"])]


class ClusterKeys(DeviceKeys):
    """The keys of `parallel` that say where trials run."""

    backend: Backend = "loky"
    """Where trials run: loky, in processes; threading, in threads; serial, one after the other in this process; dask or
    ray, on the workers of a cluster; joblib:NAME, wherever that backend of joblib runs its tasks."""
    address: Text | None = None
    """dask and ray: where the cluster is, such as tcp://scheduler:8786, or ray://head:10001; where left out a cluster
    on this machine is made, and ended with the sweep."""
    listen: Listen | None = None
    """Clusters: at which address of this machine, as HOST or HOST:PORT, their hosts reach the driver; where left out
    the one by which it reaches the cluster, and any free port."""
    registering: CallablePath | None = Field(default=None, alias="register")
    """joblib:NAME: what is called first so that joblib knows the backend, such as joblibspark:register_spark."""

    @model_validator(mode="after")
    def _has_the_cluster(self) -> "ClusterKeys":
        is_joblib = self.backend.startswith("joblib:")
        for key, value, is_used, of in (
            ("address", self.address, self.backend in ("dask", "ray"), "dask and ray"),
            ("listen", self.listen, self.is_cluster, "clusters: dask, ray, joblib:NAME"),
            ("register", self.registering, is_joblib, "joblib:NAME"),
        ):
            if value is not None and not is_used:
                raise broken(f"is for {of}, and backend is {self.backend}", key, on_key=True)
        if self.address is not None and (fault := address_fault(self.backend, self.address)):
            raise broken(fault, "address")
        return self

    @model_validator(mode="after")
    def _can_deal_devices(self) -> "ClusterKeys":
        asked = self.asks_for_device
        if asked and self.backend.startswith("joblib:"):
            raise broken("joblib deals no devices to trials; write backend: loky, dask or ray", asked, on_key=True)
        if asked and self.backend == "dask" and self.address is None:
            way_out = "name a cluster by address, or write backend: loky or ray"
            raise broken(f"a local dask cluster deals no devices to trials; {way_out}", asked, on_key=True)
        return self

    @property
    def is_cluster(self) -> bool:
        """Whether trials may run on other machines."""
        return self.backend not in ("loky", "threading", "serial")
