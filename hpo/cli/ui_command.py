"""`hpo ui`: the live page."""

import logging
import os
from pathlib import Path

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)
TOKEN_VARIABLE = "HPO_UI_TOKEN"  # noqa: S105  # the variable's name


@click.command("ui")
@click.argument("sweep", required=False)
@click.option("--port", type=click.IntRange(0, 65535), help="Else 8017, or any free one where that is taken.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another one needs a token of yours, or --users.")
@click.option(
    "--token-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help=f"A file with the token, instead of ${TOKEN_VARIABLE}; else one is made at each start.",
)  # fmt: skip
@click.option(
    "--users", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Names and hashed passwords."
)
@click.option("--allow-host", multiple=True, metavar="NAME", help="A name that a proxy in front of it is known by.")
@click.option("--hash-password", is_flag=True, help="Ask for a name and a password, and print their line for --users.")
@options.store_only
def command(
    shared: Shared, sweep: str | None, port: int | None, host: str, token_file: Path | None, users: Path | None,
    allow_host: tuple[str, ...], hash_password: bool,
) -> None:  # fmt: skip
    """Serve a live, read-only page of the store's sweeps, trials and models, opened at SWEEP if named.

    It is for this machine alone, and whoever has the address that is printed. Ctrl-C ends it.
    """
    from hpo.cli import output

    if hash_password:
        output.write(_new_line(), shared)
        return
    from hpo.cli.stores import open_to_read, store_name
    from hpo.naming import find_sweep
    from hpo.views.commands import Commands
    from hpo.web.server import Serving, serve
    from hpo.web.users import Users

    known = Users.read(users) if users else None
    serving = Serving(host, port, _own_token(token_file), known, frozenset(allow_host))
    with open_to_read(shared) as store:
        page = f"/sweeps/{_quoted(find_sweep(store.tracker, sweep, store_name(shared)).name)}" if sweep else "/"

        def started(address: str, token: str) -> None:
            if not serving.is_local:
                log.warning(
                    "everybody who reaches %s:%s may try a token; there is no TLS: put a proxy before it", host, port
                )
            log.info("the page of %s is at the address below; Ctrl-C ends it", store_name(shared))
            login = f"/login?token={token}" + (f"&to={_quoted(page)}" if sweep else "")
            output.write(address + (login if token else page), shared)

        serve(store, Commands(store.uri, os.environ), serving, started)


def _own_token(file: Path | None) -> str:
    from hpo.errors import ConfigError

    if file is None:
        return os.environ.get(TOKEN_VARIABLE, "").strip()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {getattr(error, 'strerror', None) or error}") from error


def _new_line() -> str:
    from hpo.web.users import hashed

    name = click.prompt("Name", err=True)
    return hashed(name, click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")
