"""Regions of one view copied onto another, with label maps that stay true (simple copy-paste).

Source: Ghiasi et al. 2021 (arXiv 2012.07177), section 3, without blending. Unlike there, labels are of regions of any
kind that may overlap: what is pasted keeps label maps of its own, so a part pasted with its whole cuts nothing from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymask.images.augment import View


def paste_regions(view: View, donor: View, chosen: Sequence[tuple[int, int]]) -> View:
    """`view` with the regions `chosen` of `donor`, (map, label above 0) each, at the places where they are in it.

    Both are of one size. What lies outside the picture of `view`, in its padding, is not pasted. In the label maps of
    `view` what is covered becomes 0, so a region keeps only what can still be seen of it; behind them come the donor's
    label maps with the chosen regions alone.
    """
    pixels, maps, (height, width) = view
    pasted = []
    covered = np.zeros(pixels.shape[:2], np.bool_)
    for index, donor_map in enumerate(donor[1]):
        labels = [label for other, label in chosen if other == index]
        kept = np.zeros_like(donor_map)
        inside = donor_map[:height, :width]
        kept[:height, :width] = np.where(np.isin(inside, labels), inside, 0)
        if kept.any():
            pasted.append(kept)
            covered |= kept > 0
    cut = [np.where(covered, 0, label_map).astype(label_map.dtype) for label_map in maps]
    return np.where(covered[..., None], donor[0], pixels), [*cut, *pasted], (height, width)
