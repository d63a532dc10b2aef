"""Downloads, against a server of our own on this machine: sizes, resuming, and what is said without a network."""

import http.server
import threading

import pytest
import torch

from yolocourse.anchors import PRESETS
from yolocourse.models import build, tiny, yolo9000, yolov2
from yolocourse.models.darknet19 import Darknet19Trunk
from yolocourse.weights import fetch as module
from yolocourse.weights.cfg import layers_of
from yolocourse.weights.fetch import OFFICIAL, Official, cache_folder, fetch

CONTENT = bytes(range(256)) * 40


class Handler(http.server.BaseHTTPRequestHandler):
    requests: list = []
    ranges = True
    content = CONTENT

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.requests.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        self.send_response(206 if wanted and self.ranges else 200)
        self.end_headers()
        self.wfile.write(self.content[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    Handler.requests, Handler.ranges, Handler.content = [], True, CONTENT
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{running.server_port}/some.weights"
        monkeypatch.setitem(module.OFFICIAL, "some", Official(address, len(CONTENT)))
        yield address
        running.shutdown()


def test_downloaded_once(server, tmp_path):
    steps = []
    path = fetch("some", tmp_path / "new", lambda done, size: steps.append((done, size)))
    assert path == tmp_path / "new" / "some.weights" and path.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert fetch("some", tmp_path / "new") == path
    assert Handler.requests == [None]
    assert list(path.parent.iterdir()) == [path]


def test_goes_on_where_it_was_interrupted(server, tmp_path):
    (tmp_path / "some.weights.part").write_bytes(CONTENT[:3000])
    assert fetch("some", tmp_path).read_bytes() == CONTENT
    assert Handler.requests == ["bytes=3000-"]


def test_begins_anew_where_the_server_cannot_go_on(server, tmp_path):
    Handler.ranges = False
    (tmp_path / "some.weights.part").write_bytes(CONTENT[:3000])
    assert fetch("some", tmp_path).read_bytes() == CONTENT


def test_either_header_is_right_and_other_sizes_are_not(server, tmp_path):
    Handler.content = CONTENT + b"four"
    assert fetch("some", tmp_path).stat().st_size == len(CONTENT) + 4
    for wrong in (CONTENT[:-1], CONTENT + b"12345", CONTENT * 3):
        (tmp_path / "some.weights").unlink(missing_ok=True)
        Handler.content = wrong
        with pytest.raises(ValueError, match=f"bytes came, expected {len(CONTENT)}; not kept"):
            fetch("some", tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_size_is_not_used(server, tmp_path):
    (tmp_path / "some.weights").write_bytes(b"<html>")
    with pytest.raises(ValueError, match=f"6 bytes, expected {len(CONTENT)}; remove it"):
        fetch("some", tmp_path)


def test_offline_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setitem(module.OFFICIAL, "some", Official("http://127.0.0.1:9/some.weights", 100))
    with pytest.raises(ConnectionError) as caught:
        fetch("some", tmp_path)
    text = str(caught.value)
    assert "http://127.0.0.1:9/some.weights cannot be reached" in text
    assert f"(100 or 104 bytes) and put it at {tmp_path / 'some.weights'}" in text


def test_unknown_name():
    with pytest.raises(ValueError, match="unknown weights 'yolov3'; known: yolov2, "):
        fetch("yolov3")


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("YOLOCOURSE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("YOLOCOURSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "yolocourse"


def test_sizes_follow_from_the_networks():
    with torch.device("meta"):
        networks = {
            "yolov2": yolov2(80, PRESETS["coco"]),
            "yolov2-voc": yolov2(20, PRESETS["voc"]),
            "yolov2-tiny": tiny(80, PRESETS["coco"], last=512),
            "yolov2-tiny-voc": tiny(20, PRESETS["voc"]),
            "yolo9000": yolo9000(9418, PRESETS["coco"][:3]),
            "darknet19": build("darknet19", num_outputs=1000),
            "darknet19_448": build("darknet19", num_outputs=1000),
            "darknet19_448.conv.23": Darknet19Trunk(),
        }
    for name, network in networks.items():
        stored = [v.numel() for key, v in network.state_dict().items() if "num_batches" not in key and key != "anchors"]
        assert OFFICIAL[name].size == 16 + 4 * sum(stored), name
    layers = layers_of(networks["darknet19"])
    assert sum(layer.kind == "convolutional" for layer, _ in layers[:23]) == 18
    assert OFFICIAL.keys() == networks.keys()


def test_a_full_disk_is_not_called_a_missing_network(server, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_download", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        fetch("some", tmp_path)
    assert not isinstance(caught.value, ConnectionError)
