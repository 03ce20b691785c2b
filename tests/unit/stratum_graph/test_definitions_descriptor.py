"""Scripts that no path names are checked at load, and lie in the folder that a run pins."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from stratum_graph.definitions import furnishing
from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.directory import Loaded
from stratum_graph.definitions.remote.places import Places
from support.definitions import SCRIPT, source, write
from support.hostile import Hostile, hostile

DIGEST = sha256(SCRIPT.encode()).hexdigest()
ENCODED = b64encode(SCRIPT.encode()).decode()
OTHER = "0" * 64
INLINE = 'm%"\ndef main [] { "{}" }\n\n"%'


def declared(script: str, more: str = "") -> str:
    return f"""{{
  name = "lint",
  trigger = {{ pipeline = "crate", subjects = ["events.crate.pushed"] }},
  handler = {{
    script = {script},
  }},
  {more}
}}
"""


async def load(folder: Path, script: str, more: str = "", **files: str) -> Loaded:
    written = {"a/node.ncl": declared(script, more), "lib/shared.nu": SCRIPT, **files}
    nodes = write(folder / "nodes", written)
    (folder / "outside.nu").write_text(SCRIPT)
    return await source(nodes, store=folder / "store").load()


@pytest.mark.parametrize(
    "script",
    [
        f"{{ inline = {INLINE} }}",
        f'{{ encoded = "{ENCODED}" }}',
        f'{{ encoded = "{ENCODED[:9]}\\n{ENCODED[9:]}" }}',
        '{ uri = "../lib/shared.nu", source.type = \'file }',
        '{ uri = "file:../lib/shared.nu", source = { type = \'file, timeout = "5s" } }',
        f'{{ inline = {INLINE}, sha256 = "{DIGEST}" }}',
    ],
)
async def test_each_way_comes_to_a_file_of_the_folder(tmp_path: Path, script: str) -> None:
    loaded = await load(tmp_path, script)

    assert loaded.diagnostics == ()
    [definition] = loaded.definitions
    assert definition.node.handler.script == f"sha256-{DIGEST}.nu"
    folder = ContentStore(tmp_path / "store").tree(definition.tree)
    assert (folder / definition.node.handler.script).read_text() == SCRIPT


@pytest.mark.parametrize(
    ("script", "counts"),
    [
        (f'{{ inline = "no", encoded = "{ENCODED}" }}', "encoded"),
        (
            '{ inline = "no", encoded = "bm8=", uri = "../lib/shared.nu", '
            "source.type = 'file }",
            "uri",
        ),
    ],
)
async def test_the_outermost_way_counts_and_the_others_are_told(
    tmp_path: Path, script: str, counts: str
) -> None:
    loaded = await load(tmp_path, script)

    [definition] = loaded.definitions
    assert definition.node.handler.script == f"sha256-{DIGEST}.nu"
    [warning] = loaded.diagnostics
    assert warning.severity == "warning"
    assert warning.message.endswith(f"`{counts}` counts")


@pytest.mark.parametrize(
    ("script", "line", "said"),
    [
        ('{ encoded = "%%%" }', 5, "its script is not base64"),
        ('{ encoded = "/w==" }', 5, "its script is not text in UTF-8"),
        ('{ encoded = "AA==" }', 5, "its script is not text in UTF-8"),
        (f'{{ inline = "x", sha256 = "{OTHER}" }}', 5, "is not what `sha256` says"),
        (
            f'{{ uri = "../lib/shared.nu", source.type = \'file, sha256 = "{OTHER}" }}',
            5,
            "is not what `sha256` says",
        ),
        ('{ uri = "../lib/shard.nu", source.type = \'file }', 5, "does not exist"),
        ('{ uri = "../../outside.nu", source.type = \'file }', 5, "outside the watched"),
        ('{ uri = "file:///etc/passwd", source.type = \'file }', 5, "outside the watched"),
        ('{ uri = "/etc/passwd", source.type = \'file }', 5, "outside the watched"),
        (
            f'{{ uri = "http://127.0.0.1/a.nu", source.type = \'http, sha256 = "{OTHER}" }}',
            5,
            "the script of `lint` from `http://127.0.0.1/a.nu`: it is not asked for: "
            "127.0.0.1 is this machine if it may be, list the host in scripts.hosts",
        ),
        (
            f'{{ uri = "s3://b", source.type = \'s3, sha256 = "{OTHER}" }}',
            5,
            "write `s3://BUCKET/PATH`",
        ),
        ('{ uri = "https://x.example/a.nu", source.type = \'http }', 5, "needs its `sha256`"),
        ('{ uri = "a.nu" }', 5, "needs `source`"),
        ('{ inline = "x", source.type = \'file }', 5, "needs the `uri`"),
        ("{}", 5, "needs a `uri`"),
        ('{ inline = "x", uris = "y" }', 5, "uris"),
        ('{ uri = "x", source.type = \'ftp }', 5, "expected one of file, http"),
        ('{ uri = "x", source = { type = \'file, auth = "a b" } }', 5, "auth"),
        ('{ inline = "" }', 5, "not empty"),
    ],
)
async def test_what_is_no_script_is_refused_with_its_place(
    tmp_path: Path, script: str, line: int, said: str
) -> None:
    loaded = await load(tmp_path, script)

    assert loaded.definitions == ()
    [problem] = [each for each in loaded.diagnostics if each.severity == "error"]
    assert said in f"{problem.message} {problem.hint}"
    assert (problem.file, problem.line) == ("a/node.ncl", line)


def served(there: Hostile, digest: str = DIGEST) -> tuple[str, Places]:
    """A script that a server has, and leave to ask it."""
    uri = f'uri = "http://{there.host}/a.nu", source.type = \'http'
    return f'{{ {uri}, sha256 = "{digest}" }}', Places(hosts=frozenset([there.host]))


async def test_a_script_of_a_server_is_had_once_and_serves_without_it(tmp_path: Path) -> None:
    with hostile() as there:
        there.lie("/a.nu", body=SCRIPT.encode())
        script, places = served(there)
        nodes = write(tmp_path / "nodes", {"a/node.ncl": declared(script)})
        first = await source(nodes, store=tmp_path / "store", places=places).load()

    again = await source(nodes, store=tmp_path / "store", places=places).load()

    assert first.diagnostics == again.diagnostics == ()
    assert first.definitions == again.definitions
    assert first.definitions[0].node.handler.script == f"sha256-{DIGEST}.nu"
    assert first.copies == {f"a/sha256-{DIGEST}.nu": SCRIPT.encode()}
    assert furnishing.kept(first.definitions) == {f"sha256:{DIGEST}"}  # never collected
    assert len(there.asked) == 1


async def test_a_copy_beside_the_definition_is_not_fetched(tmp_path: Path) -> None:
    with hostile() as there:
        script, places = served(there)
        files = {"a/node.ncl": declared(script), f"a/sha256-{DIGEST}.nu": SCRIPT}
        nodes = write(tmp_path / "nodes", files)
        loaded = await source(nodes, store=tmp_path / "store", places=places).load()

    assert loaded.diagnostics == ()
    assert loaded.definitions[0].node.handler.script == f"sha256-{DIGEST}.nu"
    assert there.asked == []


async def test_a_script_of_a_server_that_is_another_one_is_refused(tmp_path: Path) -> None:
    with hostile() as there:
        there.lie("/a.nu", body=b"# altered")
        script, places = served(there)
        nodes = write(tmp_path / "nodes", {"a/node.ncl": declared(script)})
        loaded = await source(nodes, store=tmp_path / "store", places=places).load()

    [problem] = loaded.diagnostics
    assert "is not what `sha256` says" in problem.message
    assert (problem.file, problem.line) == ("a/node.ncl", 5)
    assert loaded.definitions == ()


async def test_what_could_not_be_had_is_asked_for_again_when_something_changes(
    tmp_path: Path,
) -> None:
    with hostile() as there:
        script, places = served(there)
        nodes = write(tmp_path / "nodes", {"a/node.ncl": declared(script)})
        loader = source(nodes, store=tmp_path / "store", places=places)
        before, unchanged = await loader.load(), await loader.load()
        there.lie("/a.nu", body=SCRIPT.encode())
        write(nodes, {"a/notes.txt": "try again"})
        after = await loader.load()

    assert "does not have it (404" in before.diagnostics[0].message
    assert unchanged.diagnostics is before.diagnostics
    assert after.diagnostics == ()
    assert len(there.asked) == 2


async def test_what_is_due_again_is_asked_for_though_nothing_changed(tmp_path: Path) -> None:
    with hostile() as there:
        script, places = served(there)
        nodes = write(tmp_path / "nodes", {"a/node.ncl": declared(script)})
        loader = source(nodes, store=tmp_path / "store", places=places, pause_s=0)
        before, in_vain = await loader.load(), await loader.load()
        there.lie("/a.nu", body=SCRIPT.encode())
        after = await loader.load()

    assert in_vain.diagnostics is before.diagnostics
    assert in_vain.definitions is before.definitions
    assert after.diagnostics == ()
    assert len(there.asked) == 3


async def test_a_compensation_may_be_described_too(tmp_path: Path) -> None:
    loaded = await load(
        tmp_path,
        f"{{ inline = {INLINE} }}",
        f'compensate.script = {{ encoded = "{ENCODED}" }},',
    )

    [definition] = loaded.definitions
    assert definition.node.compensate
    assert definition.node.compensate.script == f"sha256-{DIGEST}.nu"


async def test_a_script_that_is_too_large_is_refused(tmp_path: Path) -> None:
    files = {"lib/large.nu": "#" * ((1 << 20) + 1)}

    loaded = await load(tmp_path, '{ uri = "../lib/large.nu", source.type = \'file }', **files)

    assert [each.message for each in loaded.diagnostics] == [
        "`handler`: its script has 1 MiB, of at most 1 MiB"
    ]


async def test_a_changed_file_is_seen_though_its_definition_is_not(tmp_path: Path) -> None:
    nodes = write(
        tmp_path / "nodes",
        {
            "a/node.ncl": declared('{ uri = "../lib/shared.nu", source.type = \'file }'),
            "lib/shared.nu": SCRIPT,
        },
    )
    loader = source(nodes, store=tmp_path / "store")
    before = await loader.load()
    write(nodes, {"lib/shared.nu": "# changed\n" + SCRIPT})

    after = await loader.load()

    assert after.evaluated == ()
    assert after.definitions[0].tree != before.definitions[0].tree
