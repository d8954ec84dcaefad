"""The command ``ssd-bench``: its subcommands, and the messages and exit codes of errors."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from ssd_cli.cli.console import debugging, prepare_streams, say, warn
from ssd_cli.cli.lazy import LazyCommand, lazy_group
from ssd_cli.core.version import __version__
from ssd_cli.errors import INTERRUPTED, SsdBenchError

_READER_LEFT = 141
"""Exit code if the reader of standard output closed it, as `head` does: 128 plus the number of SIGPIPE."""

_COMMANDS = [
    LazyCommand("run", "ssd_cli.cli.run:run", "Train and evaluate; go on where an earlier run ended."),
    LazyCommand("compare", "ssd_cli.cli.compare:compare", "Rank and test the methods; write tables and a figure."),
    LazyCommand("leaderboard", "ssd_cli.cli.compare:compare", "As compare.", hidden=True),  # an alias that users may try
    LazyCommand("report", "ssd_cli.cli.report:report", "Write the page: one file to explore, send and publish."),
    LazyCommand("serve", "ssd_cli.cli.report:serve", "Show the page in a browser while a run goes on."),
    LazyCommand("check", "ssd_cli.cli.check:check", "Fail where accuracy fell below a reference; for continuous integration."),
    LazyCommand("recount", "ssd_cli.cli.recount:recount", "Compute every score and table again from the stored probabilities."),
    LazyCommand("export-tsml", "ssd_cli.cli.export:export_tsml", "Write the predictions in the layout of tsml-eval."),
    LazyCommand("export", "ssd_cli.cli.export:export", "Write a trained predictor as a file for other runtimes."),
    LazyCommand("predict", "ssd_cli.cli.export:predict", "Classify series with an exported file."),
    LazyCommand("ls", "ssd_cli.cli.ls:ls", "List what there is to choose from."),
    LazyCommand("status", "ssd_cli.cli.status:status", "Show what of a folder is done, failed, left."),
    LazyCommand("data", "ssd_cli.cli.data:app", "Download, verify, show, pack and add datasets."),
]

app = typer.Typer(
    name="ssd-bench",
    cls=lazy_group(_COMMANDS),
    help="Does stochastic self-distillation pay on time-series classification? Train, resume, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"ssd-bench {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; print expected errors as sentences and set the exit code."""
    prepare_streams()
    output = sys.stdout
    code = _READER_LEFT
    try:
        try:
            _main()
        finally:
            output.flush()  # the interpreter's own flush at exit is too late to choose the exit code
    except BrokenPipeError:
        pass
    except OSError as error:  # of the flush; `_main` reports others
        warn(f"Error: standard output cannot be written: {error.strerror}.")
        code = 1
    except SystemExit:
        if sys.stdout is output:  # typer replaces it and exits with 1 if the reader closed it
            raise
    os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
    sys.exit(code)


def _main() -> None:
    debug = debugging()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="ssd-bench")
    except SsdBenchError as error:
        if debug:
            warn(getattr(error, "trace", "") or traceback.format_exc())
        warn(f"Error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        raise
    except OSError as error:
        if debug:
            traceback.print_exc()
        where = f"{error.filename}: " if error.filename else ""
        warn(f"Error: {where}{error.strerror or error}.\nExpected files and folders that exist and may be read and written.")
        sys.exit(1)
    except Exception as error:
        if debug:
            traceback.print_exc()
        warn(f"Unexpected error: {type(error).__name__}: {error}")
        warn("Run the same command with --debug, and report what it prints.")
        sys.exit(1)


if __name__ == "__main__":
    main()
