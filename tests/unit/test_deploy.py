"""What is shipped to deploy with, as far as it can be checked on one machine."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_nats.nkey import UserKey
from platform_nats.permissions import inbox
from stratum_orchestrator import config
from stratum_orchestrator.api.guard import Door
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.api.routes import Routes
from stratum_state.surreal.transport import embedded, insist
from support.desk import Doorman, FixedClock, MemoryDesk

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "stratum.service"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
KUBERNETES = DEPLOY / "kubernetes" / "stratum.yaml"
PROGRAM = "/opt/stratum/bin/stratum"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


def manifests() -> Mapping[str, Any]:
    """The manifests by kind and name."""
    read = yaml.safe_load_all(KUBERNETES.read_text())
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in read}


def pod() -> Mapping[str, Any]:
    return manifests()["StatefulSet/stratum"]["spec"]["template"]["spec"]


def said(text: str) -> Iterator[str]:
    """The settings that a file sets by variables."""
    for name in re.findall(r"STRATUM_[A-Z]+__[A-Z_]+", text):
        section, _, field = name.removeprefix("STRATUM_").lower().partition("__")
        yield f"{section}.{field}"


@needs_systemd
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "stratum.service"
    unit.write_text(UNIT.read_text().replace(PROGRAM, sys.executable).replace("/opt/", "/"))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_the_unit_is_as_closed_as_it_says() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=25", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_systemd_does_not_start_again_what_that_does_not_mend() -> None:
    never = re.search(r"^RestartPreventExitStatus=(.+)$", UNIT.read_text(), re.MULTILINE)

    assert never is not None
    assert never[1].split() == ["2", "65", "77", "78"]  # docs/operations.md


@pytest.mark.parametrize("file", [UNIT, COMPOSE, KUBERNETES], ids=lambda file: file.name)
def test_every_variable_is_a_setting(file: Path) -> None:
    assert set(said(file.read_text())) <= set(config.fields())


@pytest.mark.parametrize("of", ["stratum.ncl", "kubernetes"])
async def test_the_configurations_are_good(of: str, tmp_path: Path) -> None:
    text = (DEPLOY / "stratum.ncl").read_text()
    if of == "kubernetes":
        text = manifests()["ConfigMap/stratum"]["data"]["stratum.ncl"]
    file = tmp_path / "stratum.ncl"
    file.write_text(text)

    loaded = await config.load(tmp_path, {}, {}, file)

    assert loaded.settings.surrealdb.user == "stratum"


def test_probes_ask_what_the_daemon_answers() -> None:
    routes = Routes(MemoryDesk(), Metrics(FixedClock(), version="1"), Door(reception=Doorman()))
    [container] = pod()["containers"]
    probes = {
        name: container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    }

    assert probes == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    assert set(probes.values()) <= {route.path for route in routes.table()}
    assert "/readyz" in COMPOSE.read_text()


def test_pods_are_restricted_and_find_what_they_mount() -> None:
    [container] = pod()["containers"]
    volumes = {each["name"]: each for each in pod()["volumes"]}
    claims = manifests()["StatefulSet/stratum"]["spec"]["volumeClaimTemplates"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    maps = {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume}

    assert mounted == set(volumes) | {each["metadata"]["name"] for each in claims}
    assert {f"ConfigMap/{each}" for each in maps} <= set(manifests())
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["securityContext"]["runAsNonRoot"] is True


def test_compose_names_only_what_it_declares() -> None:
    composed = yaml.safe_load(COMPOSE.read_text())
    files = {"nats", "stratum.ncl"}

    for service in composed["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert set(service.get("secrets", ())) <= set(composed["secrets"])
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source in composed["volumes"] or source.startswith(("../", "${"))
    assert all((DEPLOY / each).exists() for each in files)


@pytest.mark.parametrize("file", ["single.conf", "cluster.conf"])
def test_the_nats_server_takes_its_configuration(file: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "nats-server", "-c", DEPLOY / "nats" / file, "-t"],
        env={**os.environ, **nats_variables(tmp_path)},  # noqa: TID251 - a child of ours
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


async def test_surrealdb_takes_the_setup() -> None:
    text = (DEPLOY / "surrealdb" / "setup.surql").read_text()

    async with embedded("mem://", "stratum", "orchestrator") as database:
        await insist(database, text, {})
        users = await database.call("INFO FOR DATABASE", {})

    assert "ROLES EDITOR" in json.dumps(users)


def test_the_vault_setup_is_a_shell_script() -> None:
    subprocess.run(["sh", "-n", DEPLOY / "vault" / "setup.sh"], check=True)


def nats_variables(folder: Path) -> dict[str, str]:
    """What the servers' configurations ask of the environment."""
    publisher = UserKey.generate().public
    return {
        "NATS_STORE": str(folder),
        "NATS_NAME": "a",
        "NATS_LISTEN": "127.0.0.1:4222",
        "NATS_CLUSTER": "127.0.0.1:6222",
        **{f"NATS_ROUTE_{each}": f"nats-route://{each}.example:6222" for each in "ABC"},
        "STRATUM_DAEMON": UserKey.generate().public,
        "STRATUM_PUBLISHER": publisher,
        "STRATUM_PUBLISHER_INBOX": f"{inbox(publisher)}.>",
    }
