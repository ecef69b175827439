"""All commands in one application."""

from __future__ import annotations

from typing import Annotated

import typer
import typer.exceptions

import ama2sec
from ama2sec.cli import (
    Stopped,
    catalogue,
    dags,
    directories,
    inspecting,
    keys,
    realm_app,
    realms,
    signing,
    stopping,
    trees,
    verifying,
    workflows,
)
from ama2sec.cli.show import line, tell

__all__ = ["app", "invoke"]

USAGE = 2
_STATUS = (
    "Exit status: 0 valid or done, 10 bad signature, 11 malformed, 12 unknown key, 13 wrong use, 14 the history does not fit, "
    "15 stale (shorter than a retained head), 16 the body does not fit, 17 out of order in its workflow, 18 stopped, 20 a wrong argument, 21 a file or a passphrase, "
    "70 a fault of this software, 2 a wrong command line."
)

app = typer.Typer(
    name="ama2sec",
    help="Signed messages that know their history.",
    epilog=_STATUS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("keygen", short_help="Make a key pair, or import one.")(keys.keygen)
app.command("id", short_help="Show who a key is, or export it.")(keys.show_id)
app.add_typer(directories.directory_app, name="directory", short_help="The keys that you accept.")
app.command("sign", short_help="Sign a message, or a stream of them.")(signing.sign)
app.command("verify", epilog=_STATUS, short_help="Verify a message, a stream or a whole conversation.")(
    verifying.verify
)
app.command("inspect", short_help="Show an envelope, a proof or an exhibit, field by field.")(inspecting.inspect)
app.add_typer(trees.tree_app, name="tree", short_help="Heads, proofs and exhibits of a conversation.")
app.add_typer(realm_app.realm_app, name="realm", short_help="Realms in files: begin, enrol, list, judge, back up.")
app.command("stop", short_help="Stop a realm, or a part of it, now.")(stopping.stop)
app.command("resume", short_help="End stops of a realm, by name.")(stopping.resume)
app.add_typer(workflows.workflow_app, name="workflow", short_help="Workflow definitions: check, draw, simulate.")
app.command("replay", epilog=_STATUS, short_help="Judge a realm again, from its transcript.")(realms.replay)
app.command("dag", short_help="Draw a conversation with its branches, or ask who had seen what.")(dags.dag)
app.add_typer(realms.head_app, name="head", short_help="Hold heads of a realm against each other.")
app.command("errors", short_help="List the error codes.")(catalogue.errors)


def _version(wanted: bool) -> None:
    if wanted:
        line(f"ama2sec {ama2sec.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del version


def invoke(arguments: list[str]) -> int:
    """Run one command; a wrong command line is status 2, by the convention of shells."""
    try:
        status = app(arguments, standalone_mode=False, prog_name="ama2sec")
    except typer.exceptions.TyperException as fault:
        _wrong_usage(fault)
        return USAGE
    except typer.Abort:
        raise Stopped from None
    except SystemExit:
        # In this mode the library leaves the process in one case alone: the reader of the output has gone.
        raise BrokenPipeError from None
    return status if isinstance(status, int) else 0


def _wrong_usage(fault: typer.exceptions.TyperException) -> None:
    context = getattr(fault, "ctx", None)
    told = fault.format_message()
    usage = "" if context is None else context.get_usage()
    if told.startswith(usage) and usage:
        # No arguments at all: the library's message is the whole help.
        for part in told.splitlines():
            tell(part)
        return
    for part in usage.splitlines():
        tell(part)
    tell(f"Try '{'ama2sec' if context is None else context.command_path} --help'.")
    tell(f"Error: {told}", style="red")
