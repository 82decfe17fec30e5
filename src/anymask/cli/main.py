"""The program `anymask`: its verbs, and errors as one sentence and an exit code.

Exit codes: 0 all went well; 1 some of several pictures failed (each is named); 2 to 7 as `anymask.errors` says, 2 for
wrong usage too; 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated, cast

import typer

from anymask.cli import annotate, console, distill, export, generate, models, pretrain, runs, segment, serve, train
from anymask.cli.dataset import verbs as dataset
from anymask.cli.engine import verbs as engine
from anymask.cli.evaluate import verbs as evaluate
from anymask.errors import AnymaskError

app = typer.Typer(
    name="anymask",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every verb explains itself with examples: `anymask segment --help`.",
)
app.command("segment")(segment.segment)
app.command("models")(models.models)
app.command("annotate")(annotate.annotate)
app.command("serve")(serve.serve)
app.command("export")(export.export)
app.command("pretrain")(pretrain.pretrain)
app.command("train")(train.train)
app.command("distill")(distill.distill)
app.command("generate")(generate.generate)
app.add_typer(dataset.app, name="dataset")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(engine.app, name="engine")
app.add_typer(runs.app, name="runs")

_USAGE, _INTERRUPTED, _BROKEN_PIPE = 2, 130, 1
_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
# typer carries its own click or uses an installed one, depending on its version; its bases are the same classes.
_UsageError = cast(type[Exception], typer.BadParameter.__bases__[0])


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"anymask {version('anymask')}")
        raise typer.Exit


@app.callback()
def program(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Promptable image segmentation: point at something in a picture and get its outline."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with `arguments` (default: those of the process) and return its exit code.

    Errors of `anymask.errors` become one sentence on standard error; with `--json` among the arguments they are JSON on
    standard output too.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`anymask models | head -1`); Python must not complain about it when it flushes at exit.
        _forget_standard_output()
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _forget_standard_output()
        console.warn(f"error: standard output cannot be written ({error.strerror})")
        return AnymaskError.exit_code
    return code


def _run(given: Sequence[str]) -> int:
    try:
        code = int(typer.main.get_command(app).main(list(given), prog_name="anymask", standalone_mode=False) or 0)
    except AnymaskError as error:
        return console.fail(error, error.exit_code, as_json="--json" in given)
    except _UsageError as error:
        return console.fail(error, _USAGE, as_json="--json" in given) if given else _USAGE
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        console.warn("interrupted")
    return code


def _forget_standard_output() -> None:
    """Send what is still buffered nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
