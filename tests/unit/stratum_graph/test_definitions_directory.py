"""What becomes of files below the watched folders."""

from pathlib import Path

from stratum_graph.definitions.content import ContentStore
from support.definitions import LIBRARY, REPOSITORY, SCRIPT, node, source, write

CAPABILITIES = """
let stratum = import "stratum.ncl" in
let s = stratum.schema in
{ linted = stratum.capability "linted-code" { schema = s.object { crate = s.nonempty } } }
"""


async def test_a_node_is_loaded_with_its_folder(tmp_path: Path) -> None:
    watched = write(
        tmp_path / "nodes",
        {
            "crate/lint/node.ncl": node(),
            "crate/lint/run.nu": SCRIPT,
            "crate/lint/in/a.txt": "a",
        },
    )

    loaded = await source(watched, store=tmp_path / "store").load()

    assert loaded.diagnostics == ()
    assert [each.file for each in loaded.definitions] == ["crate/lint/node.ncl"]
    tree = ContentStore(tmp_path / "store").tree(loaded.definitions[0].tree)
    assert (tree / "run.nu").read_text() == SCRIPT
    assert (tree / "in" / "a.txt").read_text() == "a"


async def test_the_shipped_nodes_are_sound(tmp_path: Path) -> None:
    loaded = await source(REPOSITORY / "nodes", store=tmp_path).load()

    assert loaded.diagnostics == ()
    assert loaded.definitions


async def test_an_array_is_as_many_nodes(tmp_path: Path) -> None:
    watched = write(
        tmp_path / "nodes",
        {"all.ncl": f"[\n{node('lint')},\n{node('format')}\n]", "run.nu": SCRIPT},
    )

    loaded = await source(watched, store=tmp_path / "store").load()

    assert [(each.node.name, each.line) for each in loaded.definitions] == [
        ("lint", 3),
        ("format", 10),
    ]


async def test_a_file_that_others_import_may_hold_anything(tmp_path: Path) -> None:
    lint = 'let c = import "shared/capabilities.ncl" in ' + node(
        "lint", "produces = [c.linted],"
    )
    watched = write(
        tmp_path / "nodes",
        {
            "shared/capabilities.ncl": CAPABILITIES,
            "lint/node.ncl": lint,
            "lint/run.nu": SCRIPT,
        },
    )

    loaded = await source(watched, store=tmp_path / "store").load()

    assert loaded.diagnostics == ()
    assert loaded.definitions[0].node.produces == ("linted-code",)
    assert loaded.definitions[0].node.output_schemas["linted-code"]["required"] == ["crate"]


async def test_a_schema_of_the_node_wins_over_the_capability(tmp_path: Path) -> None:
    more = "produces = [c.linted], output_schemas.linted-code = { const = 1 },"
    lint = 'let c = import "c.ncl" in ' + node("lint", more)
    watched = write(
        tmp_path / "nodes", {"c.ncl": CAPABILITIES, "node.ncl": lint, "run.nu": SCRIPT}
    )

    loaded = await source(watched, store=tmp_path / "store").load()

    assert loaded.definitions[0].node.output_schemas == {"linted-code": {"const": 1}}


async def test_a_node_that_others_import_is_still_a_node(tmp_path: Path) -> None:
    watched = write(
        tmp_path / "nodes",
        {
            "lint.ncl": node("lint"),
            "format.ncl": '(import "lint.ncl") & { name | force = "format" }',
            "run.nu": SCRIPT,
        },
    )

    loaded = await source(watched, store=tmp_path / "store").load()

    assert [each.node.name for each in loaded.definitions] == ["format", "lint"]


async def test_a_file_that_nobody_imports_and_that_is_no_node_is_an_error(
    tmp_path: Path,
) -> None:
    watched = write(tmp_path / "nodes", {"capabilities.ncl": "{ linted = {} }"})

    loaded = await source(watched, store=tmp_path / "store").load()

    assert [each.file for each in loaded.diagnostics] == ["capabilities.ncl"]


async def test_a_broken_library_is_reported_once(tmp_path: Path) -> None:
    user = 'let c = import "c.ncl" in ' + node("lint", "produces = [c.linted],")
    watched = write(
        tmp_path / "nodes",
        {"c.ncl": "{ linted = ", "a.ncl": user, "b.ncl": user, "run.nu": SCRIPT},
    )

    loaded = await source(watched, store=tmp_path / "store").load()

    assert [each.file for each in loaded.diagnostics] == ["c.ncl"]


async def test_a_sub_folder_with_definitions_is_not_part_of_its_parent(tmp_path: Path) -> None:
    watched = write(
        tmp_path / "nodes",
        {
            "node.ncl": node("outer"),
            "run.nu": SCRIPT,
            "inner/node.ncl": node("inner"),
            "inner/run.nu": SCRIPT + "# inner",
        },
    )

    loaded = await source(watched, store=tmp_path / "store").load()

    content = ContentStore(tmp_path / "store")
    inner, outer = (content.tree(each.tree) for each in loaded.definitions)
    assert [each.name for each in outer.iterdir()] == ["run.nu"]
    assert (inner / "run.nu").read_text().endswith("# inner")


async def test_with_several_folders_paths_begin_with_the_folder(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        write(tmp_path / name, {"node.ncl": node(name), "run.nu": SCRIPT})

    loaded = await source(
        tmp_path / "ours", tmp_path / "theirs", store=tmp_path / "store"
    ).load()

    assert [each.file for each in loaded.definitions] == ["ours/node.ncl", "theirs/node.ncl"]


async def test_only_what_changed_is_evaluated_again(tmp_path: Path) -> None:
    lint = 'let c = import "c.ncl" in ' + node("lint", "description = c.text,")
    watched = write(
        tmp_path / "nodes",
        {
            "lint/node.ncl": lint,
            "lint/run.nu": SCRIPT,
            "lint/c.ncl": '{ text = "old" }',
            "format/node.ncl": node("format"),
            "format/run.nu": SCRIPT,
        },
    )
    loader = source(watched, store=tmp_path / "store")

    before = await loader.load()
    write(watched, {"lint/c.ncl": '{ text = "new" }', "format/run.nu": SCRIPT + "# changed"})
    after = await loader.load()

    assert before.evaluated == ("format/node.ncl", "lint/c.ncl", "lint/node.ncl")
    assert after.evaluated == ("lint/c.ncl", "lint/node.ncl")
    assert after.definitions[1].node.description == "new"


async def test_a_changed_script_changes_the_tree(tmp_path: Path) -> None:
    watched = write(tmp_path / "nodes", {"node.ncl": node(), "run.nu": SCRIPT})
    loader = source(watched, store=tmp_path / "store")

    before = await loader.load()
    write(watched, {"run.nu": SCRIPT + "# changed"})
    after = await loader.load()

    assert before.definitions[0].tree != after.definitions[0].tree
    assert before.definitions[0].node == after.definitions[0].node


async def test_principals_are_loaded(tmp_path: Path) -> None:
    key = "U" + "A" * 55
    write(tmp_path, {"principals.ncl": f'[{{ key = "{key}", name = "ann", kind = \'agent }}]'})

    found, problems = await source(store=tmp_path / "store").load_principals(
        tmp_path / "principals.ncl"
    )

    assert problems == ()
    assert [(each.key, each.name, each.kind) for each in found] == [(key, "ann", "agent")]


async def test_a_bad_principal_is_told_by_its_place(tmp_path: Path) -> None:
    write(tmp_path, {"principals.ncl": '[{ key = "U123", name = "ann" }]'})

    _, problems = await source(store=tmp_path / "store").load_principals(
        tmp_path / "principals.ncl"
    )

    assert str(problems[0]).startswith(f"{tmp_path}/principals.ncl:1:10: `key`: ")


def test_the_library_is_where_the_tests_look_for_it() -> None:
    assert (LIBRARY / "stratum.ncl").is_file()
