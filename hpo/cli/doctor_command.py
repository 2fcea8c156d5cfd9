"""`hpo doctor`: is everything here that a sweep needs?"""

import dataclasses

import click

from hpo.cli import options
from hpo.cli.options import Shared

UNWELL = 1


@click.command("doctor")
@options.shared
def command(shared: Shared) -> None:
    """Check installation, store and disk; a line each, with the remedy. Exit code 1 if something fails."""
    from hpo.cli import output
    from hpo.cli.checkup import all_ok, installation
    from hpo.cli.formats import Table
    from hpo.cli.store_checkup import artifact_findings, store_findings

    findings = [*installation(), *store_findings(shared), *artifact_findings()]
    objects = [dataclasses.asdict(finding) for finding in findings]
    if shared.format == "table":
        output.write(
            "\n".join(_line(finding.check, finding.state, finding.detail, finding.remedy) for finding in findings),
            shared,
        )
    else:
        output.show(objects, Table(("check", "state", "detail", "remedy"), objects), shared)
    if not all_ok(findings):
        click.get_current_context().exit(UNWELL)


def _line(check: str, state: str, detail: str, remedy: str) -> str:
    from hpo.cli.text import one_line

    return one_line(f"{state:<4}  {check}: {detail}" + (f" - {remedy}" if remedy else ""))
