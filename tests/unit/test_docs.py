"""What the pages say is there: commands, links, tests, settings."""

import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from stratum_orchestrator import config
from stratum_orchestrator.cli.app import stratum

ROOT = Path(__file__).parents[2]
OTHERS = {"node_modules", "dist", "build", "__pycache__"}
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TEST = re.compile(r"`(tests/\S+\.py)::(test_\w+)`")
COMMAND = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?(stratum .+)$", re.MULTILINE)
MODULE = re.compile(r"`([\w-]+(?:/[\w-]+)+\.(?:py|js))`")
NICKEL = re.compile(r"^ *```nickel\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
MORE = re.compile(r" (?:\|\|?|&&|>) ")  # what a shell does with it
NAMED = re.compile(r"`(?:\.venv/bin/)?stratum ([a-z][^`]*)`")
PAGE = re.compile(r"(?<![\w./-])((?:docs/)?[A-Za-z][\w-]*\.md)\b")
REGISTRY = re.compile(r"(?:pypi|npmjs|pythonhosted)\.(?:org|com)|/simple/|/api/npm/")


def files(folder: Path = ROOT) -> Iterator[Path]:
    """What the repository holds, without what tools and runs leave behind."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in OTHERS:
            continue
        if entry.is_dir():
            yield from files(entry)
        else:
            yield entry


FILES = list(files())
PAGES = [each for each in FILES if each.suffix == ".md"]
every_page = pytest.mark.parametrize(
    "page", PAGES, ids=[str(each.relative_to(ROOT)) for each in PAGES]
)


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """How GitHub names the headings: lower case, without signs, dashes for spaces."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(prose(page))
    }


def leads_nowhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return True
    return bool(anchor) and anchor not in anchors(target)


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and what is left for it."""
    command: click.Command = stratum
    while isinstance(command, click.Group):
        context = click.Context(command)
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
    return command, words


def reached(words: list[str]) -> click.Command | None:
    """The command that the words name, or the group as far as they go."""
    command: click.Command | None = stratum
    while isinstance(command, click.Group) and words and words[0].isalpha():
        command = command.get_command(click.Context(command), words.pop(0))
    return command


def commands_shown() -> list[object]:
    return [
        pytest.param(line, id=f"{page.name}: {line}")
        for page in PAGES
        for block in FENCE.findall(page.read_text(encoding="utf-8"))
        for line in COMMAND.findall(block)
    ]


def settings_shown() -> list[object]:
    """Records in Nickel whose first field is a section of the configuration."""
    sections = {each.partition(".")[0] for each in config.fields()}
    return [
        pytest.param(textwrap.dedent(block), id=f"{page.name}: {found[1]}")
        for page in PAGES
        for block in NICKEL.findall(page.read_text(encoding="utf-8"))
        if (found := re.match(r"\s*\{\s*(\w+)", block)) and found[1] in sections
    ]


def test_the_generated_pages_are_current() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "generate-docs"), "--check"]

    done = subprocess.run(script, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [each for each in LINK.findall(prose(page)) if "://" not in each]

    assert [each for each in links if leads_nowhere(page, each)] == []


def test_every_page_is_in_the_index() -> None:
    docs = ROOT / "docs"
    listed = {
        (docs / link.partition("#")[0]).resolve()
        for link in LINK.findall(prose(docs / "README.md"))
    }
    alone = {docs / "README.md", *(docs / "decisions").glob("*.md")}

    assert [each for each in docs.rglob("*.md") if each not in listed | alone] == []


@every_page
def test_every_test_that_is_named_exists(page: Path) -> None:
    named = TEST.findall(page.read_text(encoding="utf-8"))

    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or f"def {test}(" not in (ROOT / file).read_text()
    ]
    assert missing == []


@every_page
def test_every_module_that_is_named_exists(page: Path) -> None:
    named = set(MODULE.findall(page.read_text(encoding="utf-8")))

    missing = {
        each for each in named if not any(str(file).endswith(f"/{each}") for file in FILES)
    }
    assert missing == set()


@pytest.mark.parametrize("line", commands_shown())
def test_every_command_line_that_is_shown_can_be_said(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, *words = shlex.split(MORE.split(line)[0], comments=True)
    monkeypatch.chdir(tmp_path)
    for folder in (each for each in words if each.startswith("nodes")):
        Path(folder).mkdir(parents=True)
    for file in (each for each in words if each.endswith(".token")):
        Path(file).write_text("token")

    command, arguments = command_of(words)

    assert command.make_context(command.name, arguments).command is command


@pytest.mark.parametrize("text", settings_shown())
async def test_every_configuration_that_is_shown_is_taken(text: str, tmp_path: Path) -> None:
    (tmp_path / "stratum.ncl").write_text(text, encoding="utf-8")

    found = await config.load(tmp_path, {}, {})

    assert set(found.origins.values()) != {"default"}


def test_every_command_is_described() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    root = click.Context(stratum, info_name="stratum")

    silent = [each for each in leaves(stratum, root) if f"`{each}" not in page]

    assert silent == []


def leaves(command: click.Command, context: click.Context) -> Iterator[str]:
    """Every command that is no group, as it is called."""
    if not isinstance(command, click.Group):
        yield context.command_path
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from leaves(inner, click.Context(inner, parent=context, info_name=name))


@every_page
def test_every_command_that_is_named_exists(page: Path) -> None:
    named = NAMED.findall(prose(page))

    assert [words for words in named if reached(words.split()) is None] == []


def test_every_page_that_is_named_exists() -> None:
    pages = {each.name for each in PAGES}

    unknown = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in FILES
        if file.suffix in {".md", ".py", ".ncl", ".nu", ".cedar", ".toml", ""}
        for name in PAGE.findall(file.read_text(encoding="utf-8"))
        if Path(name).name not in pages
    }
    assert unknown == set()


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    place = re.compile(rf"(?<![\w./-]){re.escape(str(ROOT))}(?![\w-])")
    is_telling = len(ROOT.parts) > 2  # a folder such as /src may be meant by chance

    telling = [
        str(file.relative_to(ROOT))
        for file in FILES
        if file != Path(__file__)
        and (text := file.read_text("utf-8", errors="replace"))
        and (REGISTRY.search(text) or (is_telling and place.search(text)))
    ]

    assert telling == []
