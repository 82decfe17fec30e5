from __future__ import annotations

import json

from anymask.dataset.published import PUBLISHED
from anymask.dataset.stats import Properties, StatsConfig
from anymask.dataset.stats_page import Studied, as_json, as_page
from tests.dataset.drawn_pictures import drawn_picture


def studied(name: str, numbers: range) -> Studied:
    one = Studied(name, Properties())
    for number in numbers:
        one.every.add(drawn_picture(number))
        one.groups.setdefault("<b>odd</b>" if number % 2 else "even", Properties()).add(drawn_picture(number))
    return one


def test_the_page_shows_every_dataset_group_and_published_figure_and_nothing_active() -> None:
    page = as_page([studied("ours", range(6)), studied("<script>", range(3))], "country")
    assert page.count("data:image/png") == 4
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "&lt;b&gt;odd&lt;/b&gt;" in page
    assert all(one.name in page for one in PUBLISHED)
    assert "arXiv 2304.02643" in page


def test_the_json_is_plain_and_holds_all_groups() -> None:
    one = studied("ours", range(4))
    one.left_out["cut"] = "it is cut"
    value = json.loads(json.dumps(as_json([one], StatsConfig(), "country"), allow_nan=False))
    assert value["datasets"]["ours"]["groups"]["even"]["pictures"] == 2
    assert value["datasets"]["ours"]["left_out"] == {"cut": "it is cut"}
    assert value["published"]["datasets"][0]["name"] == "SA-1B"


def test_a_dataset_without_masks_is_tabled_without_plots() -> None:
    page = as_page([Studied("nothing", Properties())], None)
    assert "nothing" in page
    assert "data:image" not in page
