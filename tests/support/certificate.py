"""A certificate for `localhost` that nobody believes unless told to."""

import shutil
import subprocess
from pathlib import Path

import pytest


def certify(certificate: Path, key: Path) -> None:
    """Write a new one, and its key; skips the test where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ),
            *("-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-out", certificate, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )
