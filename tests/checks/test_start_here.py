"""Notebook 00's checks: right answers pass, usual mistakes are named, nothing ever raises."""

import pytest

from yolocourse.checks.start_here import check_count_sure, check_number_of_boxes


def said(capsys, check, function):
    assert check(function) is None
    (line,) = capsys.readouterr().out.splitlines()
    return line


def count(found, name, threshold):
    return sum(n == name and s >= threshold for one in found for n, s in zip(one.names, one.scores, strict=True))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda size: (size // 32) ** 2 * 5, "right."),
        (lambda size: size / 32 * size / 32 * 5, "right."),
        (lambda size: None, "nothing returned yet"),
        (lambda size: (size // 32) ** 2, "counts the cells"),
        (lambda size: size // 32 * 5, "one row of cells"),
        (lambda size: (size // 32) ** 2 * 2, "two boxes a cell"),
        (lambda size: 845, "For 32 it gives 845; it should be 5."),
        (lambda size: "many", "one number, not str"),
        (lambda size: size / 0, "ZeroDivisionError"),
    ],
)
def test_number_of_boxes(capsys, function, message):
    assert message in said(capsys, check_number_of_boxes, function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (count, "right."),
        (lambda found, name, threshold: None, "nothing returned yet"),
        (lambda found, name, threshold: count(found, name, threshold + 1e-6), ">="),
        (lambda found, name, threshold: sum((one.scores >= threshold).sum() for one in found), "every name"),
        (lambda found, name, threshold: count(found, name, 0), "Compare the score"),
        (lambda found, name, threshold: count(found[:1], name, threshold), "first picture only"),
        (lambda found, name, threshold: count(found[-1:], name, threshold), "last picture only"),
        (lambda found, name, threshold: 77, "For 'dog' from 0.5 on it gives 77; it should be 4."),
        (lambda found, name: 1, "TypeError"),
    ],
)
def test_count_sure(capsys, function, message):
    assert message in said(capsys, check_count_sure, function)
