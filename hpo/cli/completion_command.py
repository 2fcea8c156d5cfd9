"""`hpo completion`: the script that makes a shell complete verbs and options."""

import click

from hpo.cli import options
from hpo.cli.options import Shared

HOW = {
    "bash": 'eval "$(hpo completion bash)"',
    "zsh": 'eval "$(hpo completion zsh)"',
    "fish": "hpo completion fish | source",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(HOW)))
@options.common_options
def command(shell: str, **_: object) -> None:
    """Print the completion script of SHELL; put the line `eval "$(hpo completion bash)"` into ~/.bashrc."""
    from click.shell_completion import get_completion_class

    from hpo.cli import output

    root = click.get_current_context().find_root()
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    # not `source()`: that starts a shell to check its version
    script = completion(root.command, {}, "hpo", "_HPO_COMPLETE")
    output.write((script.source_template % script.source_vars()).strip(), Shared())
