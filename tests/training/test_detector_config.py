import pytest

from anymask.errors import ConfigError
from anymask.runs import from_plain, to_plain
from anymask.training.detector_config import DetectorConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("pictures", 0),
        ("depth", 0),
        ("min_area_px", 0),
        ("checkpoint_every", 0),
        ("max_fraction", 0.0),
        ("held_share", 1.5),
        ("precision_shown", 0.0),
        ("unlabelled_weight", 1.1),
        ("radius", -1.0),
        ("box_weight", -1.0),
        ("embedding_cache_gib", -1.0),
        ("first_step", 1200),
    ],
)
def test_a_bad_value_is_refused_with_its_name(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"DetectorConfig.{field}"):
        DetectorConfig(**{field: value})


def test_a_configuration_comes_back_from_its_plain_form() -> None:
    config = DetectorConfig(steps=7, unlabelled_weight=0.25)
    assert from_plain(DetectorConfig, to_plain(config)) == config
