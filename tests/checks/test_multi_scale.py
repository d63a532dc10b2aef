"""The checks of notebook 08: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import pytest

from yolocourse.checks.multi_scale import check_choose_size, check_dense_weights, check_size_of_step


def raising(*anything):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda step, every, draws: draws[step // every], "Exercise 1: right."),
        (lambda *case: None, "nothing returned yet"),
        (lambda step, every, draws: draws[step // every] if step else None, "sometimes nothing"),
        (lambda step, every, draws: draws[step % len(draws)], "at every step"),
        (lambda step, every, draws: draws[(max(step, 1) - 1) // every], "counted from 0"),
        (lambda step, every, draws: draws[step // (every + 1)], "a step late"),
        (lambda step, every, draws: draws[step % every], "comes from //"),
        (lambda step, every, draws: draws[0], "never changes"),
        (lambda step, every, draws: step // every, "number of the draw"),
        (lambda step, every, draws: draws[-1], "it should be"),
        (lambda step, every, draws: draws, "not tuple"),
        (lambda step, every, draws: draws[step], "IndexError"),
        (lambda step: 1, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_size_of_step(function, said, capsys):
    assert check_size_of_step(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 1: ")


def dense(size, channels, outputs):
    cells = (size // 32) ** 2
    return cells * channels * cells * outputs


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (dense, "Exercise 2: right."),
        (lambda size, channels, outputs: (size / 32) ** 4 * channels * outputs, "Exercise 2: right."),
        (lambda *case: None, "nothing returned yet"),
        (lambda size, channels, outputs: channels * outputs, "That is the convolution"),
        (lambda size, channels, outputs: (size // 32) ** 2 * channels * outputs, "counts twice"),
        (lambda size, channels, outputs: size // 32 * channels * (size // 32) * outputs, "counts twice"),
        (lambda size, channels, outputs: size**2 * channels * size**2 * outputs, "Those are pixels"),
        (lambda size, channels, outputs: (size // 32) ** 2 * (channels + outputs), "adds what goes in"),
        (lambda *case: dense(*case) + (case[0] // 32) ** 2 * case[2], "Biases are counted"),
        (lambda *case: 9 * dense(*case), "it should be"),
        (lambda *case: float("nan"), "it should be"),
        (lambda *case: "many", "not str"),
        (raising, "NameError"),
    ],
)
def test_dense_weights(function, said, capsys):
    assert check_dense_weights(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


def right_size(curve, least):
    best = None
    for size, (ap, speed) in curve.items():
        if speed >= least and (best is None or ap > curve[best][0]):
            best = size
    return best


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_size, "Exercise 3: right."),
        (lambda curve, least: None, "nothing returned yet"),
        (lambda curve, least: right_size(curve, least) if least < 100 else None, "sometimes nothing"),
        (lambda curve, least: max(curve, key=lambda size: curve[size][0]), "however slow"),
        (lambda curve, least: max(s for s in curve if curve[s][1] >= least), "largest size that is fast enough"),
        (lambda curve, least: max(curve, key=lambda size: curve[size][1]), "takes the fastest"),
        (lambda curve, least: right_size(curve, least + 0.1 if least < 200 else least), "fast enough: >="),
        (lambda curve, least: curve[right_size(curve, least)][0], "not the value"),
        (lambda curve, least: min(curve, key=lambda size: curve[size][1]), "it should be"),
        (lambda curve, least: curve, "not dict"),
        (lambda curve, least: [s for s in curve if curve[s][1] > least][0], "IndexError"),
        (raising, "NameError"),
    ],
)
def test_choose_size(function, said, capsys):
    assert check_choose_size(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 3: ")
