"""What `scripts/setup` says on a machine that lacks something."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDINARY = ("cat", "cksum", "dirname", "sh", "uname")
NO_VENV = """#!/bin/sh
case "$*" in "-m venv"*) exit 1 ;; esac
"""


class Machine:
    """A checkout, and a PATH with little on it."""

    def __init__(self, folder: Path) -> None:
        self._checkout = folder / "stratum"
        (self._checkout / "scripts").mkdir(parents=True)
        for name in ("scripts/setup", "constraints.txt", "pyproject.toml"):
            shutil.copy(ROOT / name, self._checkout / name)
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name in ORDINARY:
            found = shutil.which(name)
            assert found
            (self.programs / name).symlink_to(found)

    def has(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def complaint(self) -> str:
        """What it says when it gives up; nothing is left behind then."""
        done = subprocess.run(
            [str(self._checkout / "scripts" / "setup")],
            env={"PATH": str(self.programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (69, "")
        assert not (self._checkout / ".venv").exists()
        return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_python_it_says_which_to_install(machine: Machine) -> None:
    assert machine.complaint() == (
        "stratum: no Python 3.11, 3.12 or 3.13 was found:"
        " install one (apt-get install python3)\n"
    )


def test_a_python_that_is_too_old_is_none(machine: Machine) -> None:
    machine.has("python3", "#!/bin/sh\nexit 1\n")

    assert "no Python 3.11, 3.12 or 3.13 was found" in machine.complaint()


def test_without_venv_it_names_the_package(machine: Machine) -> None:
    machine.has("python3", NO_VENV)
    machine.has("nu", "#!/bin/sh\necho 0.114.0\n")

    assert "install its venv (apt-get install python3-venv)" in machine.complaint()


@pytest.mark.parametrize("nushell", ["", "0.101.0"])
def test_without_nushell_and_npm_it_says_so_before_it_fetches_anything(
    machine: Machine, nushell: str
) -> None:
    machine.has("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    if nushell:
        machine.has("nu", f"#!/bin/sh\necho {nushell}\n")

    assert machine.complaint() == (
        "stratum: neither Nushell 0.114 or newer nor npm was found:"
        " install one (apt-get install npm)\n"
    )
