"""What a sweep file says of what is kept so that trials can be run again."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from hpo.config.fields import Section, Size, Text, VariableName, listed
from hpo.config.system_metrics_fields import SystemMetricsGiven

Inputs = Annotated[
    list[Text],
    Field(max_length=1000),
    BeforeValidator(listed, json_schema_input_type=Text | list[Text]),
]


class Capture(Section):
    """What is put on record so that every trial can be run again. It decides no trial."""

    code: bool = True
    """Keep the code: its commit, what was changed since, and what is in no commit. false: only the commit, as a tag."""
    diff: bool = True
    """Keep uncommitted changes and untracked source files. Files that hold secrets or keys, and ignored ones, are left
    out; without git the files that the objective has loaded are kept."""
    max_size: Size = 10 * 2**20
    """How large changes and untracked files may be together, such as 10MiB; what is larger is left out, and named."""
    environment: bool = True
    """Keep the exact versions of Python and all packages, the machine, and how many threads libraries use."""
    env: Annotated[
        list[VariableName], BeforeValidator(listed, json_schema_input_type=VariableName | list[VariableName])
    ] = Field(default=[])
    """Environment variables that are kept too; of others only those that decide how numbers are computed."""
    inputs: Inputs = Field(default=[])
    """Files and folders that trials read, or patterns such as data/*.parquet, found from the sweep file's folder; they
    are recorded as data sets, by a digest of their content, and a sweep goes on only with the same ones."""
    system_metrics: SystemMetricsGiven = None
    """Sample what CPU, memory and GPUs are used for while each trial runs, as metrics system/..: true, or how often."""
