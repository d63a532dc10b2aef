"""Reading data.noun: a WordNet of a dozen nouns (conftest.py), and the real one where it is installed."""

import zipfile

import pytest

from yolocourse import wordnet as module
from yolocourse.wordnet import find_wordnet, read_wordnet


def ids(*offsets):
    return tuple(f"n{offset:08d}" for offset in offsets)


def test_words_and_hypernyms(write_wordnet):
    wordnet = read_wordnet(write_wordnet())
    (dog,) = ids(23)
    assert len(wordnet) == 15 and wordnet.words[dog] == ["dog", "domestic dog"] and wordnet.name(dog) == "dog"
    assert wordnet.hypernyms[dog] == list(ids(22, 21)) and wordnet.below["n00000021"] == list(ids(23, 24))
    assert wordnet.find("Domestic Dog") == [dog] and wordnet.find("unicorn") == []
    assert repr(wordnet).startswith("WordNet of 15 nouns from ")


def test_ways_up_end_below_the_root_and_follow_the_alphabet(write_wordnet):
    wordnet = read_wordnet(write_wordnet())
    assert wordnet.paths("n00000024") == (ids(10, 20, 21, 24),)
    assert wordnet.paths("n00000023") == (ids(10, 20, 21, 23), ids(10, 20, 22, 23))  # carnivore before pet
    assert wordnet.paths("n00000034") == (ids(10, 30, 34), ids(10, 30, 31, 33, 34))
    assert wordnet.paths("n00000040") == (ids(3, 40),)  # not physical: from below the very top
    assert wordnet.paths("n00000024", root="n00000020") == (ids(21, 24),)
    for top in ids(1, 1930):
        with pytest.raises(ValueError, match=f"{top} .* at the top of WordNet"):
            wordnet.paths(top)
    with pytest.raises(ValueError, match="'n99999999' is no noun of .*data.noun; ids look like"):
        wordnet.paths("n99999999")


def test_a_file_a_folder_or_a_zip(write_wordnet, tmp_path, monkeypatch):
    folder = write_wordnet()
    assert find_wordnet(folder) == find_wordnet(folder / "data.noun") == folder / "data.noun"
    with zipfile.ZipFile(tmp_path / "wordnet.zip", "w") as archive:
        archive.write(folder / "data.noun", "wordnet/data.noun")
    assert read_wordnet(tmp_path / "wordnet.zip").words == read_wordnet(folder).words
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "")
    with pytest.raises(ValueError, match="other.zip: holds no data.noun"):
        read_wordnet(tmp_path / "other.zip")
    with pytest.raises(FileNotFoundError, match="nowhere: no data.noun there; WordNet 3.0 is Debian's"):
        read_wordnet(tmp_path / "nowhere")
    monkeypatch.setattr(module, "PLACES", (tmp_path / "nowhere", folder))
    assert find_wordnet() == folder / "data.noun"
    monkeypatch.setattr(module, "PLACES", ())
    with pytest.raises(FileNotFoundError, match="no data.noun in"):
        read_wordnet()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"header": "  1 this is WordNet 3.1\n"}, "data.noun:1: this is WordNet 3.1; ImageNet's ids are of 3.0"),
        ({"header": "", "extra": "rubbish\n"}, "data.noun:16: no synset of data.noun: 'rubbish'"),
        ({"extra": "00000050 03 n 01 cup 0 002 @ 00000010 n 0000 | x\n"}, "data.noun:17: no synset"),
        ({"extra": "00000050 03 v 01 run 0 000 | x\n"}, "data.noun:17: no synset"),
        ({"extra": "00000023 03 n 01 dog 0 000 | x\n"}, "data.noun:17: n00000023 is there already"),
        ({"nouns": {5: ("a", [6])}}, r"n00000005 \(a\) is below n00000006, which is not there"),
    ],
)
def test_damaged_files(write_wordnet, change, message):
    with pytest.raises(ValueError, match=message):
        read_wordnet(write_wordnet(**change))


def test_an_empty_file_and_a_circle(write_wordnet, tmp_path):
    (tmp_path / "data.noun").write_text("")
    with pytest.raises(ValueError, match="no synsets, so no WordNet"):
        read_wordnet(tmp_path)
    circle = read_wordnet(write_wordnet({5: ("a", [6]), 6: ("b", [5]), 1930: ("physical_entity", [])}))
    with pytest.raises(ValueError, match=r"n0000000\d \(\w\) is above itself"):
        circle.paths("n00000005")


def test_wordnet_itself():
    try:
        wordnet = read_wordnet()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert len(wordnet) == 82115
    (terrier,) = wordnet.find("Norfolk terrier")
    assert terrier == "n02094114" and [wordnet.name(id) for id in wordnet.paths(terrier)[0][-3:-1]] == [
        "hunting dog",
        "terrier",
    ]
    assert len(wordnet.paths("n02084071")) == 2  # a dog is a canine and a domestic animal
