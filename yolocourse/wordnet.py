"""WordNet 3.0's nouns, read from its own file: where the word tree comes from (YOLO9000, section 4).

WordNet is a graph, not a tree: a synset (a set of words with one meaning) may have several hypernyms, the more general
synsets above it. A dog is a canine and a domestic animal. ImageNet's classes are synsets; their id is the letter n and
the synset's place in WordNet 3.0's file data.noun, so ids only fit this version.
"""

import io
import re
import zipfile
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

VERSION = "3.0"
FILE = "data.noun"
PHYSICAL_ENTITY = "n00001930"  # YOLO9000 calls its root "physical object"; its tree starts right below this synset
NLTK = ("nltk_data/corpora/wordnet", "nltk_data/corpora/wordnet.zip")
PLACES = (
    *(Path(base) for base in ("/usr/share/wordnet", "/usr/local/WordNet-3.0/dict", "/opt/homebrew/opt/wordnet/dict")),
    *(Path(base) / copy for base in (Path.home(), "/usr/share", "/usr/local/share", "/usr/lib") for copy in NLTK),
)
HYPERNYM = ("@", "@i")  # the marks of data.noun: a kind of, an instance of


class WordNet:
    """The noun synsets: `words`, id -> its words, the commonest first, and `hypernyms`, id -> ids right above it.

    Raises ValueError for a hypernym that is not there and for synsets above themselves, naming `source`.
    """

    def __init__(self, words: dict[str, list[str]], hypernyms: dict[str, list[str]], source: str = "WordNet"):
        self.words, self.hypernyms, self.source = words, hypernyms, source
        for id, above in hypernyms.items():
            for other in above:
                if other not in words:
                    raise ValueError(f"{source}: {id} ({words[id][0]}) is below {other}, which is not there")
        self._paths: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {}

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        return f"WordNet of {len(self)} nouns from {self.source}"

    def name(self, id: str) -> str:
        """The first word of a synset. Raises ValueError for an unknown id."""
        self.check([id])
        return self.words[id][0]

    def check(self, ids: Iterable[str]) -> None:
        """Raises ValueError, with the first one, for ids that are no noun synsets here."""
        for id in ids:
            if id not in self.words:
                raise ValueError(
                    f"{id!r} is no noun of {self.source}; ids look like n02084071, and other versions of WordNet have "
                    "other ids"
                )

    @cached_property
    def below(self) -> dict[str, list[str]]:
        """id -> the ids right below it: its hyponyms, sorted."""
        found: dict[str, list[str]] = {id: [] for id in self.words}
        for id in sorted(self.words):
            for above in self.hypernyms[id]:
                found[above].append(id)
        return found

    def find(self, word: str) -> list[str]:
        """The ids of all synsets with a word, upper and lower case alike, sorted: its meanings."""
        word = word.lower()
        return sorted(id for id, words in self.words.items() if word in (each.lower() for each in words))

    def paths(self, id: str, root: str = PHYSICAL_ENTITY) -> tuple[tuple[str, ...], ...]:
        """All ways up from a synset, each as ids from the top down to the synset itself.

        A way ends right below `root`; those that do not pass it, right below the topmost synset, and they count only
        where no other passes it. The order is that of the names along the way, from the synset up, in the alphabet.
        Raises ValueError for an unknown id, for the root itself and what is above it.
        """
        self.check([id, root])
        found = self._ways_up(id, root)
        through = tuple(way[1:] for way in found if way[0] == root)
        ways = through or tuple(way[1:] for way in found)
        if not all(ways):
            raise ValueError(f"{id} ({self.name(id)}) is at the top of WordNet, so nothing is left of the way up to it")
        return ways

    def _ways_up(self, id: str, root: str, below: tuple[str, ...] = ()) -> tuple[tuple[str, ...], ...]:
        if id in below:
            raise ValueError(f"{self.source}: {id} ({self.words[id][0]}) is above itself")
        known = self._paths.get((id, root))
        if known is None:
            above = [] if id == root else sorted(self.hypernyms[id], key=lambda up: (self.words[up][0].lower(), up))
            known = tuple((*way, id) for up in above for way in self._ways_up(up, root, (*below, id))) or ((id,),)
            self._paths[id, root] = known
        return known


def read_wordnet(place: str | Path | None = None) -> WordNet:
    """The nouns of WordNet 3.0, from data.noun or a folder that holds it; nltk's wordnet.zip will do as well.

    Without a place, where Debian's package wordnet-base, WordNet's own installer and nltk put it. Raises
    FileNotFoundError, or ValueError, with file and line, for another version and for a damaged file.
    """
    path = find_wordnet(place)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            inside = next((name for name in archive.namelist() if Path(name).name == FILE), None)
            if inside is None:
                raise ValueError(f"{path}: holds no {FILE}, so no WordNet")
            return _read(io.TextIOWrapper(archive.open(inside), encoding="utf-8"), str(path))
    with open(path, encoding="utf-8") as file:
        return _read(file, str(path))


def find_wordnet(place: str | Path | None = None) -> Path:
    """The file of `read_wordnet`: data.noun, or a zip file with it. Raises FileNotFoundError where there is none."""
    for base in PLACES if place is None else (Path(place),):
        for path in (base, base / FILE):
            if path.is_file():
                return path
    where = f"{place}: no {FILE} there" if place is not None else f"no {FILE} in {', '.join(map(str, PLACES))}"
    raise FileNotFoundError(
        f"{where}; WordNet {VERSION} is Debian's package wordnet-base, or nltk.download('wordnet'), and its folder can "
        "be given"
    )


def _read(lines: Iterable[str], source: str) -> WordNet:
    words, hypernyms = {}, {}
    for number, line in enumerate(lines, 1):
        if line.startswith("  "):  # the licence
            version = re.search(r"WordNet (\d+\.\d+)", line)
            if version and version[1] != VERSION:
                raise ValueError(f"{source}:{number}: this is WordNet {version[1]}; ImageNet's ids are of {VERSION}")
            continue
        try:
            id, words_here, above = _synset(line)
        except (ValueError, IndexError):
            raise ValueError(f"{source}:{number}: no synset of data.noun: {line.strip()[:60]!r}") from None
        if id in words:
            raise ValueError(f"{source}:{number}: {id} is there already")
        words[id], hypernyms[id] = words_here, above
    if not words:
        raise ValueError(f"{source}: no synsets, so no WordNet")
    return WordNet(words, hypernyms, source)


def _synset(line: str) -> tuple[str, list[str], list[str]]:
    """offset, file, type, number of words (hexadecimal), words with a digit each, number of pointers, pointers."""
    fields = line.split(" | ")[0].split()
    count = int(fields[3], 16)
    words, rest = fields[4 : 4 + 2 * count : 2], fields[4 + 2 * count :]
    pointers = [rest[1 + 4 * k : 5 + 4 * k] for k in range(int(rest[0]))]
    if not (re.fullmatch(r"\d{8}", fields[0]) and fields[2] == "n" and words and all(len(p) == 4 for p in pointers)):
        raise ValueError
    above = [f"n{target}" for mark, target, kind, _ in pointers if mark in HYPERNYM and kind == "n"]
    return f"n{fields[0]}", [word.replace("_", " ") for word in words], list(dict.fromkeys(above))
