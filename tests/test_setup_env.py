"""Setting up: which Python, when to install again, and that the lock, the wish list and environment.yml agree."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from yolocourse import setup_env
from yolocourse.setup_env import ROOT, SetupError

LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
WISHES = [line for line in (ROOT / "requirements.in").read_text().splitlines() if line[:1].isalpha()]


# -------------------------------------------------------------------------------------------------------------- lock


def locked():
    return [Requirement(line) for line in setup_env.locked_lines(LOCK)]


def test_lock_has_no_place_of_its_own():
    """No host, no index, no file: it installs from whatever registry the reader's pip or uv is set to."""
    assert re.findall(r"^.*(?:://|--index|--extra-index|--find-links| @ ).*$", LOCK, flags=re.MULTILINE) == []


def test_everything_locked_is_pinned_and_hashed():
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert len(blocks) == len(locked()) > 100
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_every_wish_is_locked_once_for_all_platforms():
    pins = {}
    for requirement in locked():
        pins.setdefault(requirement.name, []).append(requirement)
    for wish in map(Requirement, WISHES):
        (pin,) = pins[wish.name]
        assert pin.marker is None, f"{pin}: other versions elsewhere"
        assert wish.specifier.contains(str(pin.specifier).removeprefix("==")), f"{wish} is locked as {pin}"


def test_package_asks_for_nothing_the_lock_lacks():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["notebooks"], *extras["dev"]]
    versions = {pin.name: str(pin.specifier).removeprefix("==") for pin in locked()}
    for wish in map(Requirement, wanted):
        assert wish.specifier.contains(versions[wish.name]), f"pyproject.toml: {wish}, locked: {versions[wish.name]}"
    assert project["requires-python"] == ">=3.11,<3.14"
    assert (setup_env.OLDEST, setup_env.NEWEST) == ((3, 11), (3, 13))


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_one_version_of_each_package_on_each_platform(platform, python):
    env = {
        "sys_platform": platform,
        "os_name": "nt" if platform == "win32" else "posix",
        "platform_machine": "arm64" if platform == "darwin" else "x86_64",
        "python_version": python,
        "python_full_version": python + ".6",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    names = [pin.name for pin in locked() if pin.marker is None or pin.marker.evaluate(env)]
    assert len(names) == len(set(names))
    assert {"torch", "numpy", "jupyterlab", "setuptools"} <= set(names)
    assert ("triton" in names) == (platform == "linux")
    assert ("pywinpty" in names) == (platform == "win32")


def test_environment_yml_holds_the_lock_and_the_package():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert text == setup_env.environment_yml(LOCK), "run make lock"
    import yaml

    parsed = yaml.safe_load(text)
    assert parsed["dependencies"][:2] == ["python=3.12", "pip"]
    pip = parsed["dependencies"][2]["pip"]
    assert [str(Requirement(line)) for line in pip[:-1]] == [str(pin) for pin in locked()]
    assert pip[-1] == "--editable ."


# ------------------------------------------------------------------------------------------------------- interpreters


def test_version_of():
    assert setup_env.version_of(sys.executable) == sys.version_info[:2]
    assert setup_env.version_of("no-such-python") is None


def test_supported():
    versions = [None, (2, 7), (3, 10), (3, 11), (3, 12), (3, 13), (3, 14)]
    assert [setup_env.supported(version) for version in versions] == [False, False, False, True, True, True, False]


def pretend(monkeypatch, versions):
    monkeypatch.setattr(setup_env, "version_of", versions.get)
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: "/bin/" + name if name in versions else None)
    monkeypatch.setattr(setup_env.sys, "executable", "python3")


def test_falls_back_to_a_versioned_python(monkeypatch):
    pretend(monkeypatch, {"python3": (3, 10), "python3.13": None, "python3.12": (3, 12), "python3.11": (3, 11)})
    assert setup_env.find_python() == "/bin/python3.12", "python3.13 is a name that does not run"
    pretend(monkeypatch, {"python3": (3, 11), "python3.13": (3, 13)})
    assert setup_env.find_python() == "/bin/python3", "the usual one, where it will do"


def test_no_python_that_will_do(monkeypatch):
    pretend(monkeypatch, {"python3": (3, 9), "python3.13": None})
    with pytest.raises(SetupError, match="needs Python 3.11, 3.12 or 3.13.*PYTHON=") as error:
        setup_env.find_python()
    assert "\n" not in str(error.value)


def test_the_python_asked_for_or_none(monkeypatch):
    pretend(monkeypatch, {"python3": (3, 12), "python3.10": (3, 10), "python3.11": (3, 11)})
    assert setup_env.find_python("python3.11") == "/bin/python3.11"
    with pytest.raises(SetupError, match="PYTHON=python3.10 is Python 3.10"):
        setup_env.find_python("python3.10")
    with pytest.raises(SetupError, match="PYTHON=nope does not run"):
        setup_env.find_python("nope")


# ------------------------------------------------------------------------------------------------------- environment


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project that looks set up, with an interpreter of 3.12, and a record of what would have been installed."""
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("x")
    python = setup_env.venv_python(tmp_path)
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / ".venv/pyvenv.cfg").touch()
    (tmp_path / ".venv" / setup_env.STAMP).write_text(json.dumps(setup_env.fingerprint(tmp_path)))
    monkeypatch.setattr(setup_env, "version_of", lambda python: (3, 11) if "3.11" in str(python) else (3, 12))
    return tmp_path


def test_nothing_to_do(project):
    assert setup_env.needs(project) == ""
    assert setup_env.needs(project, "python3.12") == ""
    (project / "pyproject.toml").touch()
    assert setup_env.needs(project) == "", "a new time on the same contents"


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_installs_again_when_these_change(project, name):
    (project / name).write_text("y")
    assert setup_env.needs(project) == "install"


def test_installs_again_after_an_interruption(project):
    (project / ".venv" / setup_env.STAMP).write_text("{")
    assert setup_env.needs(project) == "install"
    (project / ".venv" / setup_env.STAMP).unlink()
    assert setup_env.needs(project) == "install"


def test_creates_anew(project, monkeypatch):
    assert setup_env.needs(project, "python3.11") == "create", "another Python was asked for"
    stamp = {**setup_env.fingerprint(project), "root": "/elsewhere"}
    (project / ".venv" / setup_env.STAMP).write_text(json.dumps(stamp))
    assert setup_env.needs(project) == "create", "the folder was moved"
    monkeypatch.setattr(setup_env, "version_of", lambda python: None)
    assert setup_env.needs(project) == "create", "its interpreter is gone"
    setup_env.venv_python(project).unlink()
    assert setup_env.needs(project) == "create"


def test_a_folder_that_is_no_environment_is_not_deleted(project):
    (project / ".venv/pyvenv.cfg").unlink()
    (project / ".venv/precious").touch()
    with pytest.raises(SetupError, match="no virtual environment"):
        setup_env.create(project, sys.executable, None)
    assert (project / ".venv/precious").exists()


@pytest.mark.skipif(os.name == "nt", reason="shell script")
def test_a_python_without_venv_is_explained(tmp_path):
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(SetupError, match="lacks venv; on Debian and Ubuntu: apt-get install python3-venv"):
        setup_env.create(tmp_path, str(python), None)


@pytest.mark.parametrize("uv", ["/bin/uv", None])
def test_what_is_installed_and_how(project, monkeypatch, uv):
    calls = []
    monkeypatch.setattr(setup_env, "run", lambda command, **_: calls.append([str(part) for part in command]))
    monkeypatch.setattr(setup_env.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))
    setup_env.install(project, uv)
    locked, package = calls
    assert locked[0] == (uv or str(setup_env.venv_python(project)))
    assert locked[-3:] == ["--require-hashes", "-r", str(project / "requirements.txt")]
    assert {"--no-deps", "--no-build-isolation", "--no-index"} <= set(package) and package[-1] == str(project)
    assert setup_env.needs(project) == ""


def test_a_failed_installation_leaves_no_stamp(project, monkeypatch):
    def fail(command, **_):
        raise SetupError("no network")

    monkeypatch.setattr(setup_env, "run", fail)
    with pytest.raises(SetupError):
        setup_env.install(project, "/bin/uv")
    assert setup_env.needs(project) == "install"


def test_a_step_that_fails_is_named():
    with pytest.raises(SetupError, match="this step failed.*SystemExit"):
        setup_env.run([sys.executable, "-c", "raise SystemExit(3)"])


# ------------------------------------------------------------------------------------------------------------- commands


def test_messages_are_one_line_and_no_traceback(monkeypatch, capsys):
    def fail(**_):
        raise SetupError("something to mend")

    monkeypatch.setattr(setup_env, "setup", fail)
    assert setup_env.main(["doctor"]) == 2
    assert capsys.readouterr().err == "yolocourse: something to mend\n"


def test_test_runs_the_notebooks_also_when_a_unit_test_fails(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for name in ("b.ipynb", "a.ipynb"):
        (tmp_path / "notebooks" / name).touch()
    calls = []
    monkeypatch.setattr(setup_env.subprocess, "call", lambda command, **_: calls.append(command) or len(calls) % 2)
    assert setup_env.test("python", tmp_path) == 1
    unit, notebooks = calls
    assert "--nbval" not in unit
    assert {"--nbval", "--nbval-current-env", "--nbval-sanitize-with"} <= set(notebooks)
    assert notebooks[-2:] == ["notebooks/a.ipynb", "notebooks/b.ipynb"]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell")
def test_the_largest_process_may_be_a_child_of_a_child(tmp_path):
    hungry = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'len(bytearray(400_000_000))'], check=True)"
    ask = "from yolocourse import setup_env; print(setup_env.largest_process())"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hungry!r}], check=True); {ask}"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 400e6 < int(said) < 500e6


def test_tests_that_take_too_much_memory_fail(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(setup_env.subprocess, "call", lambda command, **_: 0)
    for peak, code in ((2.9e9, 0), (3.1e9, 1)):
        monkeypatch.setattr(setup_env, "largest_process", lambda peak=peak: peak)
        assert setup_env.test("python", tmp_path) == code
        assert f"took {peak / 1e9:.1f} GB of memory (limit 3 GB)" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="no make on Windows")
def test_makefile_help_names_every_command():
    made = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^make (\w+) ", made, flags=re.MULTILINE)
    assert listed == ["help", "lab", "test", "notebooks", "doctor", "lint", "lock"]
    for name in listed[1:]:
        assert setup_env.parse([name]).command == name
    assert subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout == made


@pytest.mark.skipif(os.name == "nt", reason="no make on Windows")
def test_make_without_python_says_so(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    sh = Path("/bin/sh")
    (tools / "sh").symlink_to(sh)
    make = next(p for p in (Path(d, "make") for d in os.environ["PATH"].split(os.pathsep)) if p.is_file())
    made = subprocess.run([str(make), "doctor"], cwd=ROOT, env={"PATH": str(tools)}, capture_output=True, text=True)
    assert made.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 is needed" in made.stderr and made.stderr.count("\n") == 1


def test_old_pythons_can_read_the_file():
    """An old interpreter must get as far as the message."""
    import ast

    ast.parse((ROOT / "yolocourse/setup_env.py").read_text(encoding="utf-8"), feature_version=(3, 6))
