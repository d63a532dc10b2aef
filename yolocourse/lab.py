"""Starts JupyterLab on the first notebook: `make lab`, or `python -m yolocourse.lab` in an environment of your own."""

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = "notebooks/00_start_here.ipynb"
FIRST_PORT, PORTS = 8888, 100


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name != "nt":  # there the option means something else: two listeners on one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(asked: int | None = None) -> int:
    """The port asked for, which must be free (somebody forwards that very one), or the first free one from 8888 on."""
    if asked is not None:
        if not 1 <= asked <= 65535:
            raise ValueError(f"PORT={asked} is no port; ports go from 1 to 65535")
        if not is_free(asked):
            raise ValueError(f"port {asked} is in use; choose another: make lab PORT={asked % 65535 + 1}")
        return asked
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        if is_free(port):
            if port != FIRST_PORT:
                print(f"Port {FIRST_PORT} is in use, taking {port}.")
            return port
    raise ValueError(f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are all in use; choose one: make lab PORT=9999")


def has_display() -> bool:
    """Whether the person who typed the command would see a browser window."""
    if os.environ.get("CI") or os.environ.get("SSH_CONNECTION"):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def lab_command(port: int, notebook: str, root: Path) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": root,
        "ServerApp.open_browser": has_display(),
        "ServerApp.answer_yes": True,  # Ctrl-C stops it, without a question
        "Application.log_level": "WARN",
        "KernelManager.transport_encryption": "auto",  # where ipykernel can; without it, it warns
        "LabApp.extension_manager": "readonly",  # the other one asks the network, and hangs at the end without one
        "LabApp.default_url": "/lab/tree/" + notebook,
        # Lets a test in a real browser (tests/browser) wait for the kernel instead of guessing.
        "LabApp.expose_app_in_browser": True,
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{key}={value}" for key, value in options.items())]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def wait_until_up(port: int, process: subprocess.Popen, seconds: float = 120) -> bool:
    """Poll the server's public version address; whether it answered before it ended or the time was up."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            direct.open(f"http://127.0.0.1:{port}/api", timeout=5).close()
            return True
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    return False


def lab(port: int | None = None, notebook: str = START, root: Path = ROOT) -> int:
    """Run JupyterLab until Ctrl-C. Raises ValueError on a port that is in use or a notebook that is not there.

    The token goes through the environment, because everybody on the machine can read a command line.
    """
    if not (root / notebook).is_file():
        raise ValueError(f"there is no {notebook} in {root}")
    port = choose_port(port)
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    env = dict(os.environ, JUPYTER_TOKEN=token)
    process = subprocess.Popen(lab_command(port, notebook, root), cwd=root, env=env)

    def stop(*_: object) -> None:
        process.terminate()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        if wait_until_up(port, process):
            url = f"http://127.0.0.1:{port}/lab/tree/{notebook}?token={token}"
            print(f"\nJupyterLab is running. Open\n\n    {url}\n\nStop it with Ctrl-C.\n", flush=True)
        return process.wait()
    except KeyboardInterrupt:  # the server has heard of it as well; let it save and go
        try:
            return process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            return 1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m yolocourse.lab", description="Start JupyterLab on a notebook.")
    parser.add_argument("--port", type=int, help=f"port (default: the first free one from {FIRST_PORT} on)")
    parser.add_argument("--notebook", default=START, help="notebook to open (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        return lab(options.port, options.notebook)
    except ValueError as error:
        print(f"yolocourse: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
