"""Settings that cannot work are refused before anything starts."""

import pytest

from yolocourse.engine.settings import TrainSettings
from yolocourse.preprocess import Preprocess


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": 0}, "images must be at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"sizes_every": 0}, "sizes_every must be at least 1"),
        ({"optimizer": "adam"}, "optimizer must be one of adamw, sgd; not 'adam'"),
        ({"schedule": "linear"}, "schedule must be one of cosine, polynomial, steps, constant"),
        ({"precision": "float64"}, "precision must be one of auto, float32, bfloat16, float16"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"average": 1.0}, "average is a decay"),
        ({"average": -0.1}, "average is a decay"),
        ({"schedule": "steps", "steps": (30, 20)}, "rising order"),
        ({"size": 208}, "nearest are 192 and 224"),
        ({"sizes": (224, 250)}, "250 is not a multiple of 32"),
        ({"rule": "crop"}, "crop"),
        ({"batch_size": 10, "accumulate": 4}, "10 pictures cannot be cut into 4 equal p"),
        ({"last_images": 100}, "no sizes"),
        ({"max_seconds": 0}, "max_seconds must be above 0"),
    ],
)
def test_bad_settings_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        TrainSettings(**changed)


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        TrainSettings().images = 5


def test_pictures_are_prepared_as_in_training():
    assert TrainSettings(size=320, rule="letterbox").preprocess == Preprocess(320, "letterbox")
