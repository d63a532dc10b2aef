"""The machine part of the doctor: what it finds wrong, and that it survives what it reports."""

import sys
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import pytest

from yolocourse import doctor
from yolocourse.doctor import Check

Usage = namedtuple("Usage", "total used free")


def test_python_out_of_range(monkeypatch):
    assert doctor.check_python().ok
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    check = doctor.check_python()
    assert not check.ok and "make lab PYTHON=" in check.mend
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert not doctor.check_python().ok


def test_lock_lines_follow_the_platform():
    text = (
        "numpy==2.4.6 \\\n    --hash=sha256:00\n"
        "nowhere==1.0 ; sys_platform == 'plan9' \\\n    --hash=sha256:00\n"
        "here==3.2 ; sys_platform != 'plan9' \\\n    --hash=sha256:00\n"
    )
    assert doctor.locked_versions(text) == {"numpy": "2.4.6", "here": "3.2"}


def test_lock_against_installed(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"pytest=={metadata.version('pytest')}\n")
    assert doctor.check_lock(lock) == Check("requirements", "all 1 as locked")
    lock.write_text("pytest==0.0.1\nno-such-thing-here==2.0\n")
    check = doctor.check_lock(lock)
    assert not check.ok
    assert "pytest" in check.value and "(locked: 0.0.1)" in check.value and "no-such-thing-here missing" in check.value
    assert doctor.check_lock(tmp_path / "absent.txt").ok


def test_a_build_for_another_device_is_the_same_release(monkeypatch, tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("torch==2.15.0\n")
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "2.15.0+cu130")
    assert doctor.check_lock(lock).ok


def test_torch_and_torchvision_of_different_builds(monkeypatch):
    def broken(*_):
        raise RuntimeError("operator torchvision::nms does not exist")

    assert doctor.check_torch().ok
    monkeypatch.setattr("torchvision.ops.nms", broken)
    check = doctor.check_torch()
    assert not check.ok and "nms does not exist" in check.value and "make lab" in check.mend


@pytest.mark.parametrize(("python_side", "ok"), [("8.1.9", True), ("7.8.0", False), ("9.0.0", False)])
def test_widget_generations(monkeypatch, tmp_path, python_side, ok):
    manifest = tmp_path / "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    versions = {"ipywidgets": python_side, "jupyterlab_widgets": "3.0.17"}
    monkeypatch.setattr(doctor.metadata, "version", versions.__getitem__)
    assert doctor.check_widgets().ok == ok
    manifest.unlink()
    assert not doctor.check_widgets().ok


def test_little_disk_memory_and_shared_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: Usage(64_000_000, 0, 64_000_000))
    assert not doctor.check_disk().ok
    check = doctor.check_shared_memory(tmp_path)
    assert not check.ok and "--shm-size" in check.mend and check.value == "64 MB"
    assert doctor.check_shared_memory(tmp_path / "absent").ok
    monkeypatch.setattr(doctor, "memory_bytes", lambda: (8e9, 1e9))
    assert not doctor.check_memory().ok
    monkeypatch.setattr(doctor, "memory_bytes", lambda: (float("nan"), float("nan")))
    assert doctor.check_memory().ok


def test_worker_that_cannot_start(monkeypatch):
    assert doctor.check_workers().ok

    def refuse(*_, **__):
        raise OSError("[Errno 12] Cannot allocate memory")

    monkeypatch.setattr("torch.utils.data.DataLoader", refuse)
    check = doctor.check_workers()
    assert not check.ok and "Cannot allocate memory" in check.value and "--workers 0" in check.mend


def test_a_check_that_raises_is_a_failed_check():
    def check_sound_card():
        raise KeyError("no such card")

    (check,) = doctor.guarded(check_sound_card)
    assert (check.name, check.ok) == ("sound card", False) and "no such card" in check.value


def test_report_names_the_cure(capsys, monkeypatch):
    checks = [Check("Python", "3.12.1"), Check("disk", "0 GB free", False, "make room")]
    monkeypatch.setattr(doctor, "machine_report", lambda workers=True: checks)
    assert doctor.run() == 1
    assert "BAD  disk    0 GB free\n             mend: make room" in capsys.readouterr().out
    doctor.show()
    out = capsys.readouterr().out
    assert "Python 3.12.1" in out and "To be mended (1)" in out and "make room" in out
    monkeypatch.setattr(doctor, "machine_report", lambda workers=True: checks[:1])
    assert doctor.run() == 0
    doctor.show()
    assert "This machine is ready." in capsys.readouterr().out


def test_this_machine():
    report = {check.name: check for check in doctor.machine_report(workers=False)}
    assert {"Python", "torch", "devices", "precision", "disk", "requirements"} <= set(report)
    assert "cpu:" in report["devices"].value
    assert all(check.mend for check in report.values() if not check.ok)
    assert Path(doctor.ROOT, "yolocourse").is_dir()
