"""Shared by all tests: one thread for torch. Tiny convolutions on two busy cores are many times slower with two.

And a WordNet of a dozen nouns, in the format of its own file.
"""

import pytest
import torch

torch.set_num_threads(1)

# "dog" is a pet and a carnivore, "puppet" a doll and right away an artifact, and a sign is nothing physical.
NOUNS = {
    1: ("entity", []),
    1930: ("physical_entity", [1]),
    3: ("abstraction", [1]),
    10: ("object", [1930]),
    20: ("animal", [10]),
    21: ("carnivore", [20]),
    22: ("pet", [20]),
    23: ("dog domestic_dog", [22, 21]),
    24: ("cat", [21]),
    30: ("artifact", [10]),
    31: ("toy", [30]),
    32: ("ball", [31]),
    33: ("doll", [31]),
    34: ("puppet", [33, 30]),
    40: ("sign", [3]),
}


def synset_line(offset, words, above):
    names = words.split()
    pointers = "".join(f" @ {each:08d} n 0000" for each in above)
    forms = " ".join(f"{name} 0" for name in names)
    return f"{offset:08d} 03 n {len(names):02x} {forms} {len(above):03d}{pointers} | a gloss\n"


@pytest.fixture
def write_wordnet(tmp_path):
    """A function that writes data.noun into a folder of its own and returns the folder; `nouns`: see NOUNS."""

    def write(nouns=None, header="  1 WordNet 3.0, but of a dozen nouns\n", extra=""):
        folder = tmp_path / "wordnet"
        folder.mkdir(exist_ok=True)
        text = header + "".join(synset_line(offset, *rest) for offset, rest in (nouns or NOUNS).items()) + extra
        (folder / "data.noun").write_text(text, encoding="utf-8")
        return folder

    return write
