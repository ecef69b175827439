"""All commands in one application."""

from __future__ import annotations

import typer
import typer.exceptions

from ama2sec.cli import catalogue, inspecting, keys, signing, verifying

__all__ = ["app", "invoke"]

app = typer.Typer(
    name="ama2sec",
    help="Signed messages that know their history. Every command has --help; exit statuses are listed in docs/cli.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("keygen")(keys.keygen)
app.command("id")(keys.show_id)
app.add_typer(keys.directory_app, name="directory")
app.command("sign")(signing.sign)
app.command("verify")(verifying.verify)
app.command("inspect")(inspecting.inspect)
app.command("errors")(catalogue.errors)

USAGE = 2


def invoke(arguments: list[str]) -> int:
    """Run one command; a wrong command line is status 2, by the convention of shells."""
    try:
        status = app(arguments, standalone_mode=False, prog_name="ama2sec")
    except typer.exceptions.TyperException as fault:
        typer.echo(f"{fault}", err=True)
        return USAGE
    except typer.Abort:
        raise KeyboardInterrupt from None
    except SystemExit:
        # In this mode the library leaves the process in one case alone: the reader of the output has gone.
        raise BrokenPipeError from None
    return status if isinstance(status, int) else 0
