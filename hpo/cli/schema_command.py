"""`hpo schema`: print the JSON Schema of the sweep file."""

import json

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of the sweep file, for editors that complete and check YAML."""
    from hpo.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
