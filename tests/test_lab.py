"""Starting JupyterLab: port, display, root, and for real."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from yolocourse import lab


@pytest.fixture
def busy():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_asked_port_is_taken_or_refused(busy):
    with pytest.raises(ValueError, match=f"port {busy} is in use; choose another: make lab PORT={busy + 1}"):
        lab.choose_port(busy)
    for port in (0, 65536, -1):
        with pytest.raises(ValueError, match="1 to 65535"):
            lab.choose_port(port)


def test_without_one_the_next_free_port(busy, monkeypatch, capsys):
    monkeypatch.setattr(lab, "FIRST_PORT", busy)
    port = lab.choose_port()
    assert busy < port < busy + lab.PORTS
    assert f"Port {busy} is in use, taking {port}." in capsys.readouterr().out
    monkeypatch.setattr(lab, "PORTS", 1)
    with pytest.raises(ValueError, match="all in use"):
        lab.choose_port()


@pytest.mark.parametrize(
    ("platform", "variables", "display"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, False),
        ("linux", {"DISPLAY": ":0", "CI": "true"}, False),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_browser_only_where_somebody_sees_it(monkeypatch, platform, variables, display):
    for name in ("CI", "SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(lab.sys, "platform", platform)
    assert lab.has_display() == display


def test_root_is_allowed_only_as_root(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    assert "--allow-root" in lab.lab_command(8888, "a.ipynb", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    assert "--allow-root" not in lab.lab_command(8888, "a.ipynb", tmp_path)


def test_missing_notebook_and_bad_port_are_one_line(tmp_path, capsys, busy):
    assert lab.main(["--notebook", "notebooks/99.ipynb"]) == 2
    assert capsys.readouterr().err.startswith("yolocourse: there is no notebooks/99.ipynb in ")
    with pytest.raises(ValueError, match="in use"):
        (tmp_path / "a.ipynb").touch()
        lab.lab(busy, "a.ipynb", tmp_path)


def test_server_that_ends_at_once_is_not_waited_for():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not lab.wait_until_up(1, process, seconds=60)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_for_real(tmp_path):
    """The printed address works at once, with its token and not without, and one signal ends everything."""
    (tmp_path / "a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    code = f"from pathlib import Path; from yolocourse import lab; lab.lab(None, 'a.ipynb', Path({str(tmp_path)!r}))"
    env = dict(os.environ, CI="true", JUPYTER_CONFIG_DIR=str(tmp_path / "c"), JUPYTER_DATA_DIR=str(tmp_path / "d"))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env)
    try:
        url = next(line.strip() for line in process.stdout if "/lab/tree/a.ipynb?token=" in line)
        base, token = url.split("/lab/")[0], url.split("token=")[1]
        assert b"jupyter-config-data" in urllib.request.urlopen(url, timeout=30).read()
        listing = urllib.request.urlopen(f"{base}/api/contents?token={token}", timeout=30)
        assert "a.ipynb" in [entry["name"] for entry in json.load(listing)["content"]]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{base}/api/contents", timeout=30)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) is not None
    assert lab.is_free(int(base.rsplit(":", 1)[1]))
