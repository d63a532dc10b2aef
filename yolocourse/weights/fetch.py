"""Official weights by name, into a folder of their own. Nothing is downloaded unless `fetch` is called."""

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

CHUNK = 2**20
TIMEOUT = 30  # seconds without an answer


class Official(NamedTuple):
    """A file of the authors: where it is, and how long it is with the older header of 16 bytes; 20 are possible too."""

    address: str
    size: int

    @property
    def name(self) -> str:
        return self.address.rsplit("/", 1)[1]


# The sizes follow from the networks: see tests/weights/test_fetch.py.
SITE = "https://pjreddie.com/media/files/"
OFFICIAL = {
    "yolov2": Official(SITE + "yolov2.weights", 203_934_260),
    "yolov2-voc": Official(SITE + "yolov2-voc.weights", 202_704_260),
    "yolov2-tiny": Official(SITE + "yolov2-tiny.weights", 44_948_596),
    "yolov2-tiny-voc": Official(SITE + "yolov2-tiny-voc.weights", 63_471_556),
    "yolo9000": Official(SITE + "yolo9000.weights", 195_230_020),
    "darknet19": Official(SITE + "darknet19.weights", 83_427_120),
    "darknet19_448": Official(SITE + "darknet19_448.weights", 83_427_120),
    "darknet19_448.conv.23": Official(SITE + "darknet19_448.conv.23", 79_327_120),
}


def cache_folder() -> Path:
    """$YOLOCOURSE_CACHE, else yolocourse below the user's cache folder."""
    own = os.environ.get("YOLOCOURSE_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yolocourse"


def fetch(
    name: str, folder: Path | None = None, on_progress: Callable[[int, int], None] = lambda done, size: None
) -> Path:
    """The path of an official file, downloaded where it is not there yet; an interrupted download is taken up again.

    on_progress: called with bytes so far and in all. Raises ValueError for an unknown name or a file of another size
    than the network has, and ConnectionError, which says what to put where, when the address cannot be reached.
    """
    if name not in OFFICIAL:
        raise ValueError(f"unknown weights {name!r}; known: {', '.join(OFFICIAL)}")
    official, folder = OFFICIAL[name], folder or cache_folder()
    path = folder / official.name
    sizes = (official.size, official.size + 4)
    if path.is_file():
        if path.stat().st_size not in sizes:
            raise ValueError(
                f"{path}: {path.stat().st_size} bytes, expected {official.size}; remove it and fetch again"
            )
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _download(official.address, part, sizes, on_progress)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:  # a full disk is none of these
        cause = getattr(error, "reason", error)
        raise ConnectionError(
            f"{official.address} cannot be reached ({cause}). Without a network: get this file elsewhere "
            f"({official.size} or {official.size + 4} bytes) and put it at {path}"
        ) from None
    if part.stat().st_size not in sizes:
        found = part.stat().st_size
        part.unlink()
        raise ValueError(f"{official.address}: {found} bytes came, expected {official.size}; not kept")
    part.replace(path)
    return path


def _download(address: str, part: Path, sizes: tuple[int, int], on_progress: Callable[[int, int], None]) -> None:
    """Appends to `part` what is missing; begins anew where the server cannot go on in the middle."""
    have = part.stat().st_size if part.exists() else 0
    if have in sizes:
        return
    if have > max(sizes):
        have = 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        go_on = have > 0 and answer.status == 206
        done = have if go_on else 0
        with open(part, "ab" if go_on else "wb") as file:
            # Not more than a byte too many is read, whatever the server sends.
            while chunk := answer.read(min(CHUNK, max(sizes) + 1 - done)):
                file.write(chunk)
                done += len(chunk)
                on_progress(done, sizes[0])
