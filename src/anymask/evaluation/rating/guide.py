"""What raters are told, and what each rating means; in our own words.

Source: after SAM (arXiv 2304.02643) appendix E, which says what is asked and what the ratings stand for.
"""

from __future__ import annotations

from typing import Literal

PromptKind = Literal["point", "box"]
"""What every column was given for each mask."""

LOWEST, HIGHEST = 1, 10

_ASKED = {
    "point": "The green dot is all that the program was told: it marks one place on one thing. Whole things and their "
    "parts are equally right, as long as the dot lies on what is marked.",
    "box": "The white box is all that the program was told: it was drawn around one thing. What fills the box "
    "best is meant, not something small in a corner of it.",
}


def guide(prompt: PromptKind) -> str:
    """The guide that stands beside every mask, as plain text."""
    return f"""You see one mask after the other. {_ASKED[prompt]} You are not told who or what made it.

Ask yourself three things, then give one number for all of them together.
1. Is it a thing? The mask should be one object, or a part of one that has a name, not a scrap of this and that.
2. Is the edge clean? It should follow the outline closely: nothing cut off, nothing of the surroundings taken in.
3. Does it answer? What is marked should be what was asked for.

10  You find nothing wrong, also when you look closely.
7, 8, 9  Right thing, and only small slips along its edge.
5, 6  One sees what was meant, but there are clear mistakes: a piece missing, a piece too much, a ragged edge.
2, 3, 4  Badly wrong: large parts of other things, or an outline that makes no sense.
1  No thing at all, or nothing is marked.

Look at every mask with the picture whole and from near by (Z), and once without the mask (H). Judge each by itself: the
same thing may come again with another mask. Where something lies in front of a thing, a mask may leave it out or go on
behind it; both are fine. Do not hurry: half a minute to a minute and a half a mask is usual."""
