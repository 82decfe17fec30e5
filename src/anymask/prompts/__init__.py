"""What goes in: prompts as a person means them and as the model takes them, grids of clicks, and simulated people.

Takes: points, boxes, rough masks; or a true mask that a simulated person clicks on.
Gives: `Prompt` and `PromptBatch`, point grids and crops, clicks and boxes.
Next: `model/` answers a `PromptBatch`; `predict/` answers a `Prompt`; `training/` and `evaluation/` simulate with it.
"""

from anymask.prompts.types import Prompt, PromptBatch

__all__ = ["Prompt", "PromptBatch"]
