import pytest

from yolocourse.labels import FlatLabels
from yolocourse.weights.names import read_names, write_names


def test_round_trip(tmp_path):
    labels = FlatLabels(["dog", "motor bike", "Übung"])
    write_names(tmp_path / "x.names", labels)
    assert (tmp_path / "x.names").read_text(encoding="utf-8") == "dog\nmotor bike\nÜbung\n"
    assert read_names(tmp_path / "x.names", 3) == labels


def test_without_a_file():
    assert read_names(None, 2).names == ["class 0", "class 1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"dog\ncat\n", "2 names, but the network has 3 classes"),
        (b"dog\n\ncat\n", "x.names:2: an empty line"),
        (b"dog\ncat\ndog\n", "given twice: 'dog'"),
        (b"\xff\xfe\n", "not a text file"),
    ],
)
def test_bad_files(content, message, tmp_path):
    (tmp_path / "x.names").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_names(tmp_path / "x.names", 3)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such list of class names"):
        read_names(tmp_path / "x.names", 3)
