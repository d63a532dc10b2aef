"""The hierarchy: a tree, and the tree of WordNet."""

from pathlib import Path

import pytest

from yolocourse.datasets import toytown
from yolocourse.datasets.toytown.art import ART, BY_COARSE

WORDNET = Path("/usr/share/wordnet/data.noun")


def test_one_root_and_every_parent_comes_first():
    known = set()
    for node in toytown.NODES:
        assert node.parent in known or (node.parent is None and not known), node
        assert node.id not in known
        known.add(node.id)
    assert len(toytown.NODES) == 46
    assert len({node.name for node in toytown.NODES}) == 46


def test_inner_nodes_branch():
    """A chain with a single child would be a softmax over one class."""
    for node in toytown.NODES:
        children = [n for n in toytown.NODES if n.parent == node.id]
        assert len(children) != 1, node.name


def test_counts_and_label_sets():
    assert len(toytown.COARSE) == 12 and len(toytown.FINE) == 27
    assert all(toytown.coarse_of(name) in toytown.COARSE for name in toytown.FINE)
    coarse, fine = toytown.labels("coarse"), toytown.labels("fine")
    assert coarse.names[coarse.index("dog")] == "dog" and coarse.ids[coarse.index("dog")] == "n02084071"
    assert fine.ids[fine.index("dalmatian")] == "n02110341"
    with pytest.raises(ValueError, match="medium.*'coarse', 'fine'"):
        toytown.labels("medium")


def test_coarse_of():
    assert toytown.coarse_of("penguin") == "bird" == toytown.coarse_of("bird") == toytown.coarse_of("aquatic bird")
    assert toytown.coarse_of("vehicle") is None
    assert toytown.ancestors("terrier") == ["dog", "carnivore", "animal", "organism", "object"]
    with pytest.raises(ValueError, match="unknown Toy Town class 'unicorn'"):
        toytown.coarse_of("unicorn")


def test_everything_can_be_drawn():
    assert {art.fine for art in ART.values() if art.fine} == set(toytown.FINE)
    assert all(BY_COARSE[name] for name in toytown.COARSE)
    for name in toytown.COARSE:  # something of every class must be left when NEVER_BOXED is left out
        assert set(BY_COARSE[name]) - set(toytown.NEVER_BOXED)


@pytest.fixture(scope="module")
def wordnet():
    if not WORDNET.is_file():
        pytest.skip(f"WordNet is not installed ({WORDNET}); on Debian: apt-get install wordnet-base")
    words, hypernyms = {}, {}
    for line in WORDNET.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue
        fields = line.split("|")[0].split()
        count = int(fields[3], 16)
        words[fields[0]] = [word.lower().replace("_", " ") for word in fields[4 : 4 + 2 * count : 2]]
        pointers = fields[4 + 2 * count + 1 :]
        hypernyms[fields[0]] = {pointers[k + 1] for k in range(0, len(pointers) - 3, 4) if pointers[k] in ("@", "@i")}
    return words, hypernyms


@pytest.mark.parametrize("node", toytown.NODES, ids=lambda node: node.name)
def test_every_node_is_a_synset_below_its_parent(wordnet, node):
    words, hypernyms = wordnet
    offset = node.id.removeprefix("n")
    assert offset in words, f"{node.id} is no noun synset of WordNet 3.0"
    assert node.name.lower() in words[offset]
    above, level = set(), {offset}
    while level:
        level = {up for each in level for up in hypernyms[each]} - above
        above |= level
    assert node.parent is None or node.parent.removeprefix("n") in above
