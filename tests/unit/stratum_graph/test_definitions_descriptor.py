"""Scripts that no path names are checked at load, and lie in the folder that a run pins."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.directory import Loaded
from support.definitions import SCRIPT, source, write

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
            f'{{ uri = "https://x.example/a.nu", source.type = \'http, sha256 = "{OTHER}" }}',
            5,
            "of the type `'http` are not supported yet",
        ),
        (
            f'{{ uri = "s3://b/a.nu", source.type = \'s3, sha256 = "{OTHER}" }}',
            5,
            "of the type `'s3` are not supported yet",
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
