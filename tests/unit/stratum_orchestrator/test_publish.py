import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from platform_nats import nkey
from platform_nats.nkey import UserKey
from stratum_graph.definitions.distribution import pull, trees
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.provenance import PROVENANCE
from stratum_graph.definitions.distribution.pull import Trust
from stratum_graph.definitions.distribution.signature import SIGNATURE, Trusted
from stratum_orchestrator import config
from stratum_orchestrator.cli.app import stratum
from stratum_orchestrator.distribution import leaks, scanner
from stratum_orchestrator.home import Home
from support.hostile import Hostile, hostile

REFERENCE = "oci-layout:bundles:v1"


def run(project: Path, *words: str) -> Result:
    return CliRunner().invoke(stratum, [*words, "--home", str(project / ".stratum")])


def told(project: Path, *words: str) -> dict[str, object]:
    done = run(project, *words, "-o", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    assert run(project, "new", "node", "hello", "--pipeline", "greet").exit_code == 0
    assert run(project, "keys", "new").exit_code == 0
    return project


def key(project: Path) -> str:
    return str(told(project, "keys", "show")["public"])


def script(project: Path) -> Path:
    return project / "nodes" / "greet" / "hello" / "run.nu"


def test_what_was_published_passes_every_check_of_whoever_pulls_it(project: Path) -> None:
    published = told(project, "publish", REFERENCE)

    pulled = told(project, "pull", REFERENCE, "--signer", key(project))

    assert pulled["digest"] == published["digest"]
    assert pulled["signer"] == key(project)
    assert pulled["generation"] == published["generation"]


def test_it_is_told_how_it_was_made_and_published_again_after_which_checks(
    project: Path,
) -> None:
    trust = ("--signer", key(project))
    told(project, "publish", REFERENCE)
    first = told(project, "verify", REFERENCE, "--require-provenance", *trust)["provenance"]
    told(project, "publish", REFERENCE)
    told(project, "publish", REFERENCE, "--test")
    shelf = Layout(project / "bundles")
    (digest,) = shelf.digests()

    shown = run(project, "verify", REFERENCE, *trust)

    assert isinstance(first, dict)
    assert (first["maker"], first["checks"]["compile"]) == (key(project), "passed")
    assert len(shelf.referrers(digest, PROVENANCE)) == 2
    assert len(shelf.referrers(digest, SIGNATURE)) == 1
    assert f"by {key(project)}; checks: cases 2 passed, compile passed, " in shown.output


def test_without_provenance_it_can_be_refused(project: Path) -> None:
    told(project, "publish", REFERENCE)
    shelf = Layout(project / "bundles")
    (digest,) = shelf.digests()
    shelf.remove(shelf.referrers(digest, PROVENANCE))
    trust = ("--signer", key(project))

    refused = run(project, "verify", REFERENCE, "--require-provenance", *trust)
    shown = run(project, "verify", REFERENCE, *trust)

    assert refused.exit_code == 4
    assert "check of its provenance: it has none" in refused.output
    assert "none: it has none" in shown.output


def test_the_same_files_make_the_same_digest_wherever_they_are(
    project: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(project / "nodes", elsewhere / "nodes")
    (elsewhere / ".stratum").mkdir()

    first = told(project, "publish", REFERENCE)["digest"]
    again = told(project, "publish", REFERENCE)["digest"]

    assert first == again
    assert told(elsewhere, "publish", REFERENCE, "--unsigned")["digest"] == first


def test_what_a_home_made_for_itself_is_not_published(project: Path) -> None:
    own = UserKey.generate()
    Home(project / ".stratum").introduce_developer(own)

    done = run(project, "publish", REFERENCE)

    held = [each.read_bytes() for each in (project / "bundles").rglob("sha256/*")]
    assert done.exit_code == 0
    assert "without principals: whoever pulls it keeps their own" in done.output
    assert not any(own.public.encode() in each for each in held)


def test_principals_that_the_project_names_are_published(project: Path) -> None:
    (project / "people.ncl").write_text("[]")
    (project / "stratum.ncl").write_text('{ definitions.principals = "people.ncl" }')

    published = told(project, "publish", REFERENCE)

    assert published["principals"] == "people.ncl"
    assert (lay_out(project, project / "pulled").parents[1] / "principals/people.ncl").is_file()


def test_principals_that_the_project_names_have_to_be_there(project: Path) -> None:
    (project / "stratum.ncl").write_text('{ definitions.principals = "people.ncl" }')

    done = run(project, "publish", REFERENCE)

    assert done.exit_code == 65
    assert "people.ncl" in done.output


def test_a_dry_run_publishes_nothing(project: Path) -> None:
    dry = told(project, "publish", REFERENCE, "--dry-run")

    assert not (project / "bundles").exists()
    assert told(project, "publish", REFERENCE)["digest"] == dry["digest"]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("node.ncl", "{ name = 1 }", "node.ncl:1:"),
        ("run.nu", "def main [] { let }", "run.nu:1:"),
        ("more.nu", "def x [ {", "nodes/greet/hello/more.nu:1:"),
        ("run.nu", "# " + "S" + "U" + "A" * 56, "looks like an NKey seed"),
        ("note.txt", "https://ann:" + "hunter22@example.com", "looks like a password"),
        ("note.txt", "api_key = " + '"0123456789abcdef"', "looks like a secret written out"),
    ],
)
def test_what_is_not_fit_is_not_published(
    project: Path, file: str, text: str, said: str
) -> None:
    script(project).with_name(file).write_text(text)

    done = run(project, "publish", REFERENCE)

    assert done.exit_code == 65
    assert said in done.output
    assert "hunter22" not in done.output
    assert not (project / "bundles").exists()


def test_a_consumer_that_would_break_is_named_with_its_producer(project: Path) -> None:
    schemas = 'let s = (import "stratum.ncl").schema in '
    for name, declared in {
        "make": 'produces = ["word"], output_schemas.word = s.string, effect = \'pure',
        "take": 'consumes = ["word"], input_schemas.word = s.timestamp',
    }.items():
        folder = project / "nodes" / name
        folder.mkdir()
        trigger = 'trigger = { pipeline = "p", subjects = ["events.p"] }'
        node = f'{{ name = "{name}", {trigger}, handler.script = "run.nu", {declared} }}'
        (folder / "node.ncl").write_text(schemas + node)
        (folder / "run.nu").write_text("def main [] { }")

    done = run(project, "publish", REFERENCE)

    assert done.exit_code == 65
    assert f"{project}/nodes/take/node.ncl:1:" in done.output
    assert f"`make` ({project}/nodes/make/node.ncl:1) gives it" in done.output
    assert "does not keep format date-time" in done.output
    assert not (project / "bundles").exists()


def test_with_several_folders_the_file_of_a_mistake_is_named(tmp_path: Path) -> None:
    for side in ("left", "right"):
        node = tmp_path / side / "nodes" / f"{side}.ncl"
        node.parent.mkdir(parents=True)
        node.write_text("{ name = 1 }" if side == "right" else "[]")
    folders = '{ definitions.folders = ["left/nodes", "right/nodes"] }'
    (tmp_path / "stratum.ncl").write_text(folders)

    for words in (("lint",), ("publish", REFERENCE, "--unsigned")):
        assert f"{tmp_path}/right/nodes/right.ncl:1:" in run(tmp_path, *words).output


def test_a_line_that_is_marked_is_no_secret(project: Path) -> None:
    marked = "# password = " + '"correct horse"  stratum:not-a-secret\n'
    script(project).write_text(marked + script(project).read_text())

    assert run(project, "publish", REFERENCE).exit_code == 0


SCRIPT = b'def main [] { let _ = $in; { greeting: "hello" } | to json --raw }\n'


def from_elsewhere(project: Path, there: Hostile, content: bytes = SCRIPT) -> None:
    """Let the node's script come from a server, which has it."""
    there.lie("/greet.nu", body=content)
    described = (
        f'{{ uri = "http://{there.host}/greet.nu", source.type = \'http, '
        f'sha256 = "{sha256(content).hexdigest()}" }}'
    )
    node = script(project).with_name("node.ncl")
    node.write_text(node.read_text().replace('"run.nu"', described))
    (project / "stratum.ncl").write_text(f'{{ scripts.hosts = ["{there.host}"] }}')


def test_a_bundle_holds_the_scripts_that_came_from_elsewhere(project: Path) -> None:
    with hostile() as there:
        from_elsewhere(project, there)
        published = told(project, "publish", REFERENCE)
        again = told(project, "publish", REFERENCE, "--dry-run")
    pulled = told(project, "pull", REFERENCE, "--signer", key(project))
    folder = project / "pulled"
    laid = lay_out(project, folder)

    # no server any more, and a home that knows nothing
    read = run(project, "lint", str(laid))

    assert pulled["digest"] == published["digest"] == again["digest"]
    assert (laid / "greet" / "hello" / f"sha256-{sha256(SCRIPT).hexdigest()}.nu").is_file()
    assert read.exit_code == 0, read.output


def lay_out(project: Path, root: Path) -> Path:
    """The definitions of the bundle, as whoever pulls it has them."""
    shelf = Layout(project / "bundles")
    trust = Trust(policy="digest", repository="", keys=Trusted(frozenset(), nkey.verify))
    found = pull.fetch(shelf, pull.resolve(shelf, "v1"), trust)
    (folder,) = trees.lay_out(root, found.listing, found.files).folders
    return folder


def test_a_secret_in_a_script_from_elsewhere_is_found_too(project: Path) -> None:
    with hostile() as there:
        from_elsewhere(project, there, SCRIPT + b"# S" + b"U" + b"A" * 56)
        done = run(project, "publish", REFERENCE)

    assert done.exit_code == 65
    assert "looks like an NKey seed" in done.output
    assert not (project / "bundles").exists()


def test_a_link_in_the_folder_stops_the_publication(project: Path) -> None:
    link = script(project).with_name("passwd")
    link.symlink_to("/etc/passwd")

    done = run(project, "publish", REFERENCE)

    assert done.exit_code == 65
    assert f"{link}:1:1: error: is a symbolic link" in done.output


def test_bad_policies_are_not_published(project: Path) -> None:
    (project / "policies").mkdir()
    (project / "policies" / "x.cedar").write_text("permit (")
    (project / "stratum.ncl").write_text('{ policies.folder = "policies" }')

    done = run(project, "publish", REFERENCE)

    assert done.exit_code == 65
    assert f"{project}/policies:1:1: error: needs exactly one *.cedarschema" in done.output


def test_without_definitions_nothing_is_published(tmp_path: Path) -> None:
    done = run(tmp_path, "publish", REFERENCE, "--unsigned")

    assert done.exit_code == 6
    assert f"{tmp_path}/nodes is not a folder" in done.output


def test_a_signer_who_is_none_is_wrong_usage(project: Path) -> None:
    done = run(project, "verify", REFERENCE, "--signer", "UAAA")

    assert done.exit_code == 2
    assert "--signer 'UAAA' is no public key" in done.output


def test_a_place_that_cannot_be_written_is_named(project: Path) -> None:
    (project / "file").write_text("")

    done = run(project, "publish", "oci-layout:file:v1")

    assert done.exit_code == 74
    assert f"{project}/file/blobs/sha256 cannot be used: Not a directory" in done.output


def test_the_cases_of_the_nodes_are_played_on_request(project: Path) -> None:
    good = told(project, "publish", REFERENCE, "--test", "--dry-run")
    case = script(project).with_name("case.json")
    case.write_text(case.read_text().replace("hello", "good-bye").replace("Hello", "Bye"))

    assert good["check cases"] == "2 passed"
    failed = run(project, "publish", REFERENCE, "--test")
    assert failed.exit_code == 65
    assert f"{case}:1:1: error: " in failed.output
    assert not (project / "bundles").exists()


def test_what_is_tampered_with_is_not_pulled(project: Path) -> None:
    told(project, "publish", REFERENCE)
    blobs = project / "bundles" / "blobs" / "sha256"
    victim = next(x for x in blobs.iterdir() if x.read_bytes() == script(project).read_bytes())
    victim.chmod(0o644)
    victim.write_text("x" * victim.stat().st_size)

    done = run(project, "pull", REFERENCE, "--signer", key(project))

    assert done.exit_code == 4
    assert "check of its layer digest" in done.output
    assert not (project / ".stratum" / "bundles").exists()


def test_a_bundle_of_a_stranger_is_refused(project: Path) -> None:
    run(project, "keys", "new", "stranger")
    told(project, "publish", REFERENCE, "--key", "stranger")

    done = run(project, "verify", REFERENCE, "--signer", key(project))

    assert done.exit_code == 4
    assert "is not trusted" in done.output


def test_without_anybody_to_trust_nothing_passes(project: Path) -> None:
    told(project, "publish", REFERENCE)

    done = run(project, "verify", REFERENCE)

    assert done.exit_code == 4
    assert "definitions.signers names nobody" in done.output


def test_a_difference_names_the_files(project: Path) -> None:
    told(project, "publish", REFERENCE)
    script(project).write_text(script(project).read_text() + "\n# more\n")
    script(project).with_name("new.txt").write_text("new")
    told(project, "publish", "oci-layout:bundles:v2")
    trust = ("--signer", key(project), "-o", "json")

    done = run(project, "diff", REFERENCE, "oci-layout:bundles:v2", *trust)

    assert done.exit_code == 1
    assert [(each["change"], Path(each["file"]).name) for each in json.loads(done.stdout)] == [
        ("added", "new.txt"),
        ("changed", "run.nu"),
    ]
    assert run(project, "diff", REFERENCE, REFERENCE, *trust).exit_code == 0


@pytest.mark.parametrize("reference", ["", "dir:nodes", "oci://", "v1", "oci-layout::"])
def test_what_names_no_bundle_is_wrong_usage(project: Path, reference: str) -> None:
    assert run(project, "publish", reference, "--unsigned").exit_code == 2


def test_a_registry_that_is_not_there_is_unavailable(project: Path) -> None:
    done = run(project, "verify", "oci://127.0.0.1:1/nodes:v1", "--signer", key(project))

    assert done.exit_code == 69


def test_no_secret_is_found_in_what_we_ship() -> None:
    shipped = {
        str(each): each.read_bytes()
        for folder in (config.nodes(), config.library(), config.policies())
        for each in folder.rglob("*")
        if each.is_file()
    }

    assert leaks.scan(shipped) == ()


async def test_gitleaks_finds_what_our_rules_do_not_know() -> None:
    files = {
        "definitions/nodes/x.txt": b"sk_" + b"live_4eC39HqLyjWDarjtT1zdp7dcTYUIOKEY1\n",
        "principals/principals.ncl": f'[{{ key = "{UserKey.generate().public}" }}]'.encode(),
    }
    program = scanner.find()
    assert program

    found = await scanner.scan(program, files)

    assert [(each.file, each.line) for each in found] == [("definitions/nodes/x.txt", 1)]
    assert "4eC39" not in str(found)


def test_a_scanner_that_is_asked_for_has_to_be_there(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "find", lambda: None)

    done = run(project, "publish", REFERENCE, "--require-scanner")

    assert done.exit_code == 69
    assert "gitleaks is not installed" in done.output
    assert not (project / "bundles").exists()
