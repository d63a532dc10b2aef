"""What this machine offers the course, what is wrong with it, and the command that mends it: the machine part of
`yolocourse doctor`, and the first cell of the first notebook (`doctor.show()`).

Every check is one function that returns a `Check` and raises nothing: a broken installation is what it is for.
"""

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALL = "make lab   (or: python -m pip install --require-hashes -r requirements.txt)"
PYTHONS = ((3, 11), (3, 13))
MEMORY_WANTED, DISK_WANTED, SHARED_WANTED = 2e9, 1e9, 256e6  # bytes


@dataclass(frozen=True)
class Check:
    """One line of the report. `mend` is what to type or do when `ok` is False."""

    name: str
    value: str
    ok: bool = True
    mend: str = ""


# ---------------------------------------------------------------------------------------------------------- software


def check_python() -> Check:
    version = sys.version_info[:2]
    return Check("Python", platform.python_version(), PYTHONS[0] <= version <= PYTHONS[1], "make lab PYTHON=python3.12")


def locked_versions(text: str) -> dict[str, str]:
    """{"numpy": "2.4.6", ...} of a requirements.txt: the lines that apply to this platform and this Python."""
    from packaging.requirements import Requirement

    versions = {}
    for line in text.splitlines():
        if line[:1].isalnum():
            requirement = Requirement(line.rstrip("\\ "))
            if requirement.marker is None or requirement.marker.evaluate():
                versions[requirement.name] = str(requirement.specifier).removeprefix("==")
    return versions


def check_lock(lock: Path = ROOT / "requirements.txt") -> Check:
    """Installed versions against the lock; without one (the package was installed from elsewhere) nothing is wrong."""
    if not lock.is_file():
        return Check("requirements", "no requirements.txt here to compare with")
    try:
        wanted = locked_versions(lock.read_text(encoding="utf-8"))
    except ImportError as error:
        return Check("requirements", str(error), False, INSTALL)
    other = []
    for name, version in wanted.items():
        try:
            # 2.15.0+cu130 and 2.15.0 are the same release, built for different devices.
            have = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            have = "missing"
        if have != version.split("+")[0]:
            other.append(f"{name} {have} (locked: {version})")
    if other:
        more = f" and {len(other) - 4} more" if len(other) > 4 else ""
        return Check("requirements", "other than locked: " + ", ".join(other[:4]) + more, False, INSTALL)
    return Check("requirements", f"all {len(wanted)} as locked")


def check_versions() -> list[Check]:
    """The packages that a question about a fault always begins with."""
    checks = []
    for name in ("torch", "torchvision", "numpy", "jupyterlab"):
        try:
            checks.append(Check(name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            checks.append(Check(name, "missing", False, INSTALL))
    return checks


def check_torch() -> Check:
    """torch and torchvision load and fit each other: a mismatched pair only shows when an operator is used."""
    try:
        import torch
        from torchvision.ops import nms

        kept = nms(torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8]]), torch.tensor([0.9, 0.8]), 0.5).tolist()
    except Exception as error:
        return Check("torch and torchvision", f"{type(error).__name__}: {error}", False, INSTALL)
    return Check("torch and torchvision", "work together" if kept == [0] else f"nms kept {kept}", kept == [0], INSTALL)


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def check_widgets() -> Check:
    """Sliders need the Python side (ipywidgets) and the browser side (a JupyterLab extension) of one generation."""
    try:
        python_side = metadata.version("ipywidgets")
        browser_side = metadata.version("jupyterlab_widgets")
    except metadata.PackageNotFoundError as error:
        return Check("widgets", f"{error.name} is missing", False, INSTALL)
    extension = Path(sys.prefix, "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json")
    where = "in a notebook" if in_notebook() else "not in a notebook now"
    value = f"ipywidgets {python_side}, JupyterLab extension {browser_side}; {where}"
    if not extension.is_file():
        return Check("widgets", value + f"; the extension's files are not under {sys.prefix}", False, INSTALL)
    # The generations are numbered apart: ipywidgets 8 goes with jupyterlab_widgets 3.
    fits = int(python_side.split(".")[0]) - int(browser_side.split(".")[0]) == 5
    return Check("widgets", value, fits, INSTALL)


# ---------------------------------------------------------------------------------------------------------- hardware


def device_names() -> list[str]:
    """["cuda: NVIDIA ..., 24 GB", ..., "cpu: 8 cores"], fastest first."""
    import torch

    names = []
    for i in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(i)
        names.append(f"cuda:{i}: {properties.name}, {properties.total_memory / 1e9:.0f} GB")
    if torch.backends.mps.is_available():
        names.append("mps: Apple GPU")
    names.append(f"cpu: {usable_cores()} cores")
    return names


def usable_cores() -> int:
    """Cores that this process may use; a container or a batch system often grants fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_devices() -> Check:
    return Check("devices", "; ".join(device_names()))


def check_precision() -> Check:
    import torch

    from yolocourse.engine.precision import fastest_precision

    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    chosen = str(fastest_precision(device)).removeprefix("torch.")
    return Check("precision", f"{chosen} trains fastest on {device} (measured)")


def memory_bytes() -> tuple[float, float]:
    """(total, available); nan where the platform does not say."""
    try:
        import psutil

        memory = psutil.virtual_memory()
        return float(memory.total), float(memory.available)
    except ImportError:
        return float("nan"), float("nan")


def check_memory() -> Check:
    total, available = memory_bytes()
    if total != total:
        return Check("memory", "unknown")
    value = f"{total / 1e9:.0f} GB, {available / 1e9:.0f} GB of it available"
    mend = f"close other programs: {MEMORY_WANTED / 1e9:.0f} GB are wanted"
    return Check("memory", value, available >= MEMORY_WANTED, mend)


def check_disk(folder: Path = ROOT) -> Check:
    free = shutil.disk_usage(folder).free
    mend = f"make room: {DISK_WANTED / 1e9:.0f} GB are wanted in {folder}"
    return Check("disk", f"{free / 1e9:.0f} GB free", free >= DISK_WANTED, mend)


def check_shared_memory(folder: Path = Path("/dev/shm")) -> Check:
    """Data loader workers hand over batches there; containers often have 64 MB, and die with 'Bus error'."""
    if not folder.is_dir():
        return Check("shared memory", "as the platform gives")
    size = shutil.disk_usage(folder).total
    mend = "start the container with more, as in: docker run --shm-size=2g; or train with --workers 0"
    return Check("shared memory", f"{size / 1e6:.0f} MB", size >= SHARED_WANTED, mend)


def check_workers() -> Check:
    """One data loader worker, started as training starts them, hands over one batch."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    numbers = torch.arange(4)
    began = time.perf_counter()
    try:
        loader = DataLoader(TensorDataset(numbers), batch_size=4, num_workers=1, timeout=60)
        (batch,) = next(iter(loader))
        ok = torch.equal(batch, numbers)
    except (RuntimeError, OSError) as error:
        return Check("data loader workers", str(error).splitlines()[0], False, "train with --workers 0")
    took = time.perf_counter() - began
    return Check("data loader workers", f"start in {took:.1f} s", ok, "train with --workers 0")


# ------------------------------------------------------------------------------------------------------------ report


def guarded(check: Callable[[], Check | list[Check]]) -> list[Check]:
    """The result of a check; what it raises becomes a failed check, so that the rest of the report still comes."""
    try:
        result = check()
    except Exception as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        return [Check(name, f"{type(error).__name__}: {error}", False, INSTALL)]
    return result if isinstance(result, list) else [result]


def machine_report(workers: bool = True) -> list[Check]:
    """All checks, 2 to 4 s, most of it importing torch. `workers` False leaves out starting a data loader worker."""
    software = (check_python, check_versions, check_torch, check_lock, check_widgets)
    hardware = (check_devices, check_precision, check_memory, check_disk, check_shared_memory)
    checks = (*software, *hardware, *((check_workers,) if workers else ()))
    return [line for check in checks for line in guarded(check)]


def format_report(checks: list[Check]) -> str:
    """One line a check; a failed one is followed by what mends it."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{'ok ' if check.ok else 'BAD'}  {check.name:<{width}}  {check.value}")
        if not check.ok:
            lines.append(f"     {'':<{width}}  mend: {check.mend}")
    return "\n".join(lines)


def format_short(checks: list[Check]) -> str:
    """Three lines for a notebook: versions, hardware, verdict; then only what is wrong."""
    value = {check.name: check.value for check in checks}
    named = ("Python", "torch", "numpy", "jupyterlab")
    versions = ", ".join(f"{name} {value[name]}" for name in named if name in value)
    hardware = "; ".join(value[name] for name in ("devices", "precision", "memory") if name in value)
    wrong = [check for check in checks if not check.ok]
    if not wrong:
        return f"{versions}\n{hardware}\nThis machine is ready."
    return f"{versions}\n{hardware}\nTo be mended ({len(wrong)}):\n{format_report(wrong)}"


def show(workers: bool = True) -> None:
    """Print the short report, for notebooks."""
    print(format_short(machine_report(workers)))


def run(workers: bool = True) -> int:
    """Print the full report, for the command line. Exit code 0 when all is well, else 1."""
    checks = machine_report(workers)
    print(format_report(checks))
    return 0 if all(check.ok for check in checks) else 1
