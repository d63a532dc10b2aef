"""The rules under which nbval compares outputs: all of them are read, and they change what they should and no more."""

import re
from pathlib import Path

import pytest
from nbval.plugin import get_sanitize_patterns

CONFIG = Path(__file__).with_name("sanitize.cfg").read_text(encoding="utf-8")


def sanitize(text):
    for regex, replacement in dict(get_sanitize_patterns(CONFIG)).items():
        text = re.sub(regex, replacement, text)
    return text


def test_nbval_reads_every_rule():
    assert len(get_sanitize_patterns(CONFIG)) == CONFIG.count("\nregex: ") == CONFIG.count("\nreplace: ") > 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("loss 0.12345678", "loss 0.12349999"),
        ("1.234567e-05", "1.234444e-05"),
        ("trained in 61.3 s", "trained in 7 s"),
        ("113 images/s", "95.2 images/s"),
        ("<object at 0x7f3fedb0e340>", "<object at 0x10a3c8d60>"),
        (
            '<img alt="a cat" src="data:image/jpeg;base64,/9j/4A+Q==">',
            '<img alt="a cat" src="data:image/jpeg;base64,/9jX">',
        ),
    ],
)
def test_same_after_rounding(old, new):
    assert sanitize(old) == sanitize(new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("loss 0.12345678", "loss 0.12945678"),
        ("1.234567e-05", "1.234567e-04"),
        ("845 boxes", "846 boxes"),
        ("3 scenes", "4 scenes"),
        ("shape (13, 13, 5)", "shape (13, 13, 6)"),
        ("AP 0.61", "AP 0.62"),
        ('<img alt="a cat" src="data:image/png;base64,AAAA">', '<img alt="a dog" src="data:image/png;base64,AAAA">'),
    ],
)
def test_still_different(old, new):
    assert sanitize(old) != sanitize(new)
