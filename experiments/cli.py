"""The command line `offtake`.

Every command is declared here and carried out elsewhere: implementations are named as strings
`module:function` and imported when a command runs, so that `offtake --help` needs neither numpy nor
Mesa.  Exit codes: 0 done; 1 internal error; 2 the input is wrong and nothing was written; 3 the engine
cannot start; 6 the folder holds something that is not ours to replace; 130, 143 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from datetime import date

import click

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130


def call(target: str, **arguments: object) -> int:
    """Run `module:function` and return its exit code (None counts as 0)."""
    module, function = target.split(":")
    return int(getattr(importlib.import_module(module), function)(**arguments) or 0)


class Commands(click.Group):
    """A group that turns errors into messages and exit codes: no traceback reaches a user unasked."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; every error leaves as an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # `offtake scenarios show baseline | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None
        except Exception as error:
            raise click.exceptions.Exit(_report(error, debug=bool(ctx.find_root().params.get("debug")))) from None


def _report(error: Exception, debug: bool) -> int:
    """Say what went wrong on stderr; return the exit code."""
    from env import InputError

    if isinstance(error, InputError):
        click.echo(str(error), err=True)
        if len(error.faults) > 1:
            click.echo(f"{len(error.faults)} faults; nothing was written", err=True)
        if debug:
            traceback.print_exc()
        return WRONG_INPUT
    reason = str(error).splitlines()[0] if str(error) else ""
    click.echo(
        f"sorry, this is a fault of the program: {type(error).__name__}{': ' if reason else ''}{reason} "
        "('offtake --debug ...' shows where)",
        err=True,
    )
    if debug:
        traceback.print_exception(error)
    return FAILED


# ---------------------------------------------------------------- values of options


def _seed(_ctx: click.Context, _param: click.Parameter, text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        raise click.BadParameter(f"'{text}' is not a whole number; write 0 or more, for instance 7") from None
    if not 0 <= seed < 2**63:
        raise click.BadParameter(f"{text} is out of range; write a whole number from 0 to {2**63 - 1}")
    return seed


def _day(_ctx: click.Context, _param: click.Parameter, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"'{text}' is not a date; write YYYY-MM-DD, for instance 2030-01-07") from None


def _pairs(what: str) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], dict[str, str]]:
    """A callback for repeated `key=value` options; the same key twice is a slip worth reporting."""

    def read(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
        pairs: dict[str, str] = {}
        for text in texts:
            key, sign, value = text.partition("=")
            key, value = key.strip(), value.strip()
            if not sign or not key or not value:
                raise click.BadParameter(f"'{text}' has the wrong form; write {what}")
            if key in pairs:
                raise click.BadParameter(f"'{key}' is given twice; keep one of {pairs[key]} and {value}")
            pairs[key] = value
        return pairs

    return read


def _names(_ctx: click.Context, _param: click.Parameter, text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("names no table; write for instance prices,shares")
    return names


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"offtake {version('offtake')}")
        ctx.exit()


# ---------------------------------------------------------------- commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Show the version.")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """A market simulator of the rare-earth supply chain.

    Begin with: offtake run baseline --until 2026-01-05
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@main.command()
@click.argument("scenario")
@click.option("--seed", default="0", callback=_seed, metavar="N", show_default=True, help="Seed of all chance.")
@click.option("--until", callback=_day, metavar="DATE", help="Last date to play; else the end of the scenario.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    callback=_pairs("key=value, for instance demand=low"),
    metavar="KEY=VALUE",
    help="Change an option, a date, a parameter, or site|party|use|good.CODE.FIELD. Repeatable.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    callback=_pairs("SEAT=FILE, for instance usa=my_strategy.py"),
    metavar="SEAT=FILE",
    help="Let a strategy file play a seat. Repeatable.",
)
@click.option("--out", metavar="DIR", help="Folder to write the run to.")
@click.option("--commands", metavar="FILE", help="Add the human and event commands of a log; strategies play on.")
@click.option("--replay", metavar="FILE", help="Play a whole command log with strategies off.")
@click.option("--tables", callback=_names, metavar="A,B", help="Keep only these tables.")
@click.option("--json", "as_json", is_flag=True, help="Print manifest and summary as one JSON document.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
@click.pass_context
def run(ctx: click.Context, /, **arguments: object) -> None:
    """Play a scenario without a screen and say what happened.

    SCENARIO is a name of 'offtake scenarios list' or a .toml file.
    """
    if arguments["commands"] and arguments["replay"]:
        raise click.UsageError("--commands and --replay exclude each other; keep one of them")
    ctx.exit(call("experiments.run:run", **arguments))


@main.command()
@click.option(
    "--port",
    default=8765,
    type=click.IntRange(0, 65535),
    show_default=True,
    help="Port on 127.0.0.1; 0 takes a free one.",
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.option("--scenario", metavar="S", help="Scenario a new page starts with (default: baseline).")
@click.pass_context
def sandbox(ctx: click.Context, port: int, no_open: bool, scenario: str | None) -> None:
    """Play a world in the browser, on this machine only.

    Stop it with Ctrl-C.
    """
    ctx.exit(call("experiments.sandbox:sandbox", port=port, no_open=no_open, scenario=scenario))


@main.group(invoke_without_command=True)
@click.pass_context
def scenarios(ctx: click.Context) -> None:
    """List, show and check scenarios."""
    if ctx.invoked_subcommand is None:
        ctx.exit(call("experiments.run:list_all", as_json=False))


@scenarios.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def scenarios_list(ctx: click.Context, as_json: bool) -> None:
    """Names and titles of the shipped scenarios."""
    ctx.exit(call("experiments.run:list_all", as_json=as_json))


@scenarios.command("show")
@click.argument("scenario")
@click.option("--json", "as_json", is_flag=True, help="Print the whole specification as JSON.")
@click.pass_context
def scenarios_show(ctx: click.Context, scenario: str, as_json: bool) -> None:
    """What is in a scenario: places, plants, demand, prices, stocks, contracts, events."""
    ctx.exit(call("experiments.run:show", scenario=scenario, as_json=as_json))


@scenarios.command("check")
@click.argument("file")
@click.pass_context
def scenarios_check(ctx: click.Context, file: str) -> None:
    """Find everything that is wrong with a scenario file."""
    ctx.exit(call("experiments.run:check", scenario=file))


@main.command()
@click.argument("folder", metavar="DIR")
@click.option("--csv", "as_csv", is_flag=True, help="Write the tables of a run as CSV beside the Parquet files.")
@click.option("--long", "as_long", is_flag=True, help="Write one long table: date, table, keys, variable, value.")
@click.pass_context
def export(ctx: click.Context, folder: str, as_csv: bool, as_long: bool) -> None:
    """Tables of a run for other programs (without options: --csv)."""
    ctx.exit(call("experiments.run:export", folder=folder, as_csv=as_csv or not as_long, as_long=as_long))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Versions, what is installed, what will not work and why."""
    ctx.exit(call("experiments.doctor:doctor", as_json=as_json))


if __name__ == "__main__":
    main()
