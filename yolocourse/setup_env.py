"""Sets up .venv and runs the course's commands; `make lab` and its sisters only call this file.

Standard library only, because it runs before anything is installed, and syntax that Python 3.6 can read, so that an old
interpreter gets an explanation instead of a SyntaxError. Without make (Windows) call it directly:

    python yolocourse/setup_env.py lab
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)
STAMP = "yolocourse-setup.json"
DISK_NEEDED = 7e9  # bytes; on Linux torch brings CUDA along: 5.7 GB installed
NOTEBOOK_SECONDS = 150
MEMORY_LIMIT = 3e9  # bytes of a notebook's process, and of any other that the tests start

# JupyterLab asks on its first start whether it may fetch news from the network. The course needs none.
LAB_OVERRIDES = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


class SetupError(Exception):
    """Something the reader has to mend; the message is one line and says how."""


# ---------------------------------------------------------------------------------------------------- interpreters


def version_of(python):
    """(major, minor) of an interpreter given by path or name, or None where it does not run."""
    try:
        out = subprocess.run(
            [str(python), "-c", "import sys; print('%d %d' % sys.version_info[:2])"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True,
        ).stdout  # fmt: skip
        major, minor = out.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def supported(version):
    return version is not None and OLDEST <= version <= NEWEST


def find_python(wanted=None):
    """The interpreter to build .venv from: `wanted` if given, else this one, else a versioned one on PATH.

    A name on PATH proves nothing (pyenv puts up signs for versions that are switched off), so each is tried.
    """
    need = "the course needs Python 3.11, 3.12 or 3.13"
    if wanted:
        version = version_of(wanted)
        if not supported(version):
            found = "does not run" if version is None else "is Python {}.{}".format(*version)
            raise SetupError(f"{need}; PYTHON={wanted} {found}. Choose another: make lab PYTHON=/path/to/python3.12")
        return shutil.which(wanted) or wanted
    for name in (sys.executable, "python3.13", "python3.12", "python3.11"):
        if name and supported(version_of(name)):
            return shutil.which(name) or name
    here = "{}.{}".format(*sys.version_info[:2])
    raise SetupError(
        f"{need}; this is Python {here} and no other was found on PATH. Install one, then: "
        "make lab PYTHON=/path/to/python3.12"
    )


# ------------------------------------------------------------------------------------------------------ environment


def venv_python(root=ROOT):
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint(root=ROOT):
    """What .venv was made from. Contents, not times: a fresh clone or a switched branch changes times at random."""

    def sha256(name):
        return hashlib.sha256((root / name).read_bytes()).hexdigest()

    return {"root": str(root), "requirements": sha256("requirements.txt"), "pyproject": sha256("pyproject.toml")}


def read_stamp(root=ROOT):
    try:
        return json.loads((root / ".venv" / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def needs(root=ROOT, wanted=None):
    """What is to be done before a command can run: "create", "install" or "" (nothing)."""
    have = version_of(venv_python(root)) if venv_python(root).exists() else None
    if not supported(have) or (wanted and version_of(wanted) != have):
        return "create"
    stamp = read_stamp(root)
    if stamp.get("root", str(root)) != str(root):
        return "create"  # the folder was moved or copied, and the scripts in a .venv hold absolute paths
    return "" if stamp == fingerprint(root) else "install"


def run(command, **options):
    """Run a step of the set-up; when it fails say which."""
    command = [str(part) for part in command]
    try:
        subprocess.run(command, check=True, **options)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"this step failed, see above: {' '.join(command)}") from error


def create(root, python, uv):
    target = root / ".venv"
    if target.exists():
        if not (target / "pyvenv.cfg").is_file():
            raise SetupError(f"{target} exists but is no virtual environment; move it away, then try again")
        shutil.rmtree(str(target))
    if uv:
        run([uv, "venv", "--quiet", "--python", python, target])
    elif subprocess.run([python, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL).returncode:
        raise SetupError(f"{python} lacks venv; on Debian and Ubuntu: apt-get install python3-venv. Or install uv")
    else:
        run([python, "-m", "venv", target])


def installer(root, uv):
    """The command that installs into .venv: uv where it is on PATH, else the pip inside."""
    python = venv_python(root)
    if uv:
        return [uv, "pip", "install", "--python", python]
    if subprocess.run([str(python), "-c", "import pip"], stderr=subprocess.DEVNULL).returncode:
        run([python, "-m", "ensurepip"])  # a .venv that uv made earlier has no pip
    return [python, "-m", "pip", "install", "--disable-pip-version-check"]


def install(root, uv):
    """The locked requirements, each checked against its hash; then the package itself, from here, without network."""
    command = installer(root, uv)
    stamp = root / ".venv" / STAMP
    if stamp.exists():
        stamp.unlink()  # what is half installed must not look whole
    run([*command, "--require-hashes", "-r", root / "requirements.txt"], cwd=str(root))
    # setuptools is in the lock, so that building the package fetches nothing either.
    run([*command, "--no-deps", "--no-build-isolation", "--no-index", "--editable", root], cwd=str(root))
    overrides = root / ".venv" / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text(json.dumps(LAB_OVERRIDES, indent=2), encoding="utf-8")
    stamp.write_text(json.dumps(fingerprint(root)), encoding="utf-8")


def setup(root=ROOT, wanted=None, uv=None):
    """Bring .venv up to date; returns its interpreter. Takes well under a second when there is nothing to do."""
    todo = needs(root, wanted)
    if todo:
        began = time.time()
        python = find_python(wanted) if todo == "create" else None
        if shutil.disk_usage(str(root)).free < DISK_NEEDED and todo == "create" and sys.platform == "linux":
            print(f"Less than {DISK_NEEDED / 1e9:.0f} GB are free here; that may not be enough.", file=sys.stderr)
        print(f"Setting up {root / '.venv'} with {'uv' if uv else 'pip'} (once, a few minutes at most) ...", flush=True)
        if todo == "create":
            create(root, python, uv)
        install(root, uv)
        print(f"Set up in {time.time() - began:.0f} s.", flush=True)
    return venv_python(root)


def environment(root=ROOT):
    """Environment variables of an activated .venv."""
    env = dict(os.environ, VIRTUAL_ENV=str(root / ".venv"))
    env["PATH"] = str(venv_python(root).parent) + os.pathsep + env.get("PATH", "")
    env.pop("PYTHONHOME", None)
    return env


# ------------------------------------------------------------------------------------------------------------- tests


def notebook_command(python, notebooks):
    """Strict nbval: every output of every notebook is compared, but for the cells that say otherwise.

    One after the other: a notebook that trains keeps all cores busy, and its time limit counts on that.
    """
    sanitize = ["--nbval-sanitize-with", "tests/notebooks/sanitize.cfg"]
    limit = f"--nbval-cell-timeout={NOTEBOOK_SECONDS}"
    return [str(python), "-m", "pytest", "--nbval", "--nbval-current-env", *sanitize, limit, *notebooks]


def test(python, root=ROOT):
    """Unit tests, then every notebook; the second also when the first fails. Returns the first exit code not 0."""
    notebooks = sorted(path.relative_to(root).as_posix() for path in (root / "notebooks").glob("*.ipynb"))
    commands = [[str(python), "-m", "pytest"]]
    if notebooks:
        commands.append(notebook_command(python, notebooks))
    else:
        print("There are no notebooks to test.", file=sys.stderr)
    codes = [subprocess.call(command, cwd=str(root), env=environment(root)) for command in commands]
    return next((code for code in [*codes, check_memory(largest_process())] if code), 0)


def largest_process():
    """Most memory, in bytes, that one of the finished child processes and of their children had; 0 on Windows."""
    if os.name == "nt":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


def check_memory(peak):
    """Says how much memory the largest process took; exit code 1 beyond what a reader's laptop can spare."""
    print(f"The largest process took {peak / 1e9:.1f} GB of memory (limit {MEMORY_LIMIT / 1e9:.0f} GB).")
    return int(peak > MEMORY_LIMIT)


# -------------------------------------------------------------------------------------------------------------- lock


def locked_lines(text):
    """requirements.txt without its hashes: ["numpy==2.4.6", "triton==3.9.0 ; sys_platform == 'linux'", ...]."""
    lines = (re.sub(r"\s*\\$", "", line) for line in text.splitlines())
    return [line for line in lines if re.match(r"[A-Za-z0-9]", line)]


def environment_yml(lock):
    """environment.yml for conda out of the lock. No hashes: pip refuses them next to an editable package."""
    pins = "".join(f"      - {line}\n" for line in locked_lines(lock))
    return (
        "# For conda users: conda env create -f environment.yml && conda activate yolocourse\n"
        "# Written by `make lock` out of requirements.txt: the same pins.\n"
        "name: yolocourse\nchannels:\n  - conda-forge\ndependencies:\n  - python=3.12\n  - pip\n  - pip:\n"
        f"{pins}      - --editable .\n"
    )


def lock(uv, root=ROOT):
    """requirements.in -> requirements.txt, for every platform and Python at once, and environment.yml from it."""
    if not uv:
        raise SetupError("make lock needs uv on PATH")
    options = ["--universal", "--python-version=3.11", "--generate-hashes"]
    quiet = ["--quiet", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"]
    run([uv, "pip", "compile", *quiet, *options, "--output-file=requirements.txt", "requirements.in"], cwd=str(root))
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    (root / "environment.yml").write_text(environment_yml(text), encoding="utf-8")
    return 0


# ----------------------------------------------------------------------------------------------------- command line

MODULES = {  # command -> what `python -m` runs in .venv
    "lab": ["yolocourse.lab"],
    "notebooks": ["yolocourse.notebooks"],
    "doctor": ["yolocourse", "doctor"],
    "gpu-check": ["yolocourse.studies.gpu_check"],
    "lint": ["ruff", "check", "."],
}


def hand_over(command):
    """Become the command, so that Ctrl-C and a kill reach it and nothing else."""
    if os.name != "nt":
        os.chdir(str(ROOT))
        sys.stdout.flush()
        os.execve(command[0], command, environment())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows has no exec; the child gets the Ctrl-C too
    return subprocess.call(command, cwd=str(ROOT), env=environment())


def parse(arguments):
    parser = argparse.ArgumentParser(prog="setup_env.py", description="Set up .venv, then run one of the commands.")
    parser.add_argument("command", choices=["setup", "test", "lock", *MODULES])
    parser.add_argument("--python", help="interpreter to build .venv from (3.11 to 3.13; default: the one that runs)")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="options of the command itself, as in: lab --port 9000")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    uv = shutil.which("uv")
    try:
        if options.command == "lock":
            return lock(uv)
        python = setup(wanted=options.python, uv=uv)
        if options.command == "setup":
            return 0
        if options.command == "test":
            return test(python)
        return hand_over([str(python), "-m", *MODULES[options.command], *options.rest])
    except SetupError as error:
        print(f"yolocourse: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
