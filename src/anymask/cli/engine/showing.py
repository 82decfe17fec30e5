"""`anymask engine status`: the turns, the people's work, the scores, and what was promoted or why not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymask.cli import console
from anymask.cli.engine.opening import FOLDER, opened
from anymask.cli.options import JSON
from anymask.errors import RunError


def status(
    folder: FOLDER,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots.", show_default=False)
    ] = None,
    json: JSON = False,
) -> None:
    """Show how an engine does: its turns beside each other, and which model people have.

    Seconds and clicks a mask are of the people (or simulated people) of the turn; IoU and "clicks to IoU" are of models
    on the held-out pictures that decide. The page has the paper's curves beside this project's. The same page is in the
    tool, under the project's name.

    **Examples**

    ```
    anymask engine status engine
    anymask engine status engine --html engine.html
    anymask engine status engine --json
    ```
    """
    from anymask.data_engine.overview import of_engine
    from anymask.data_engine.overview_page import to_page, to_text
    from anymask.runs import to_plain, write_atomically

    with opened(folder) as engine:
        overview = of_engine(engine)
    if html is not None:
        try:
            write_atomically(html, to_page(overview).encode())
        except OSError as error:
            raise RunError(f"{html} cannot be written ({error.strerror}); name another file") from error
    if json:
        console.say_json(to_plain(overview))
        return
    for line in to_text(overview).splitlines():
        console.say(line)
    if html is not None:
        console.say(f"page -> {html}")
