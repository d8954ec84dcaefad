"""A virtual environment that holds a few packages and what they require, linked from this one: no network, a second to make."""

import re
import subprocess
import sys
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def make(folder: Path, *packages: str) -> Path:
    """Make it, with this checkout on its path; return its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    for name in closure(packages):
        for link, target in contents(distribution(name)).items():
            if not (site / link).exists():
                (site / link).symlink_to(target)
    (site / "checkout.pth").write_text(f"{ROOT}\n")
    return python


def closure(packages: tuple[str, ...]) -> set[str]:
    """The packages and all that they require, without extras."""
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:
            assert name not in packages, f"{name} is not installed"
            continue  # another platform's
        if name not in found:
            found.add(name)
            needed = [Requirement(text) for text in requirements]
            waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def contents(package: Distribution) -> dict[str, Path]:
    """The top-level files and folders of a package, by name."""
    tops = {path.parts[0] for path in package.files or [] if path.parts[0] not in ("..", "__pycache__")}
    return {top: Path(str(package.locate_file(top))) for top in tops}


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), *sys.argv[2:]))
