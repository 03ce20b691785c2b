"""A single Nickel file outside the watched folders: the configuration, the principals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os.path import realpath
from pathlib import Path
from posixpath import dirname, join

import anyio
import msgspec

from stratum_graph.definitions import snapshot, source_text
from stratum_graph.definitions.nickel import Contract, Evaluated, Material, evaluate
from stratum_graph.definitions.snapshot import Files
from stratum_graph.definitions.source_text import Survey
from stratum_graph.definitions.workers import EvaluationLimits
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.errors import EvaluationFailed

_NO_LIBRARY = "{} holds no `stratum.ncl`: it is not the library"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file, the contract that it keeps and the folder that the contract is found in."""

    file: Path
    contract: Contract
    library: Path
    overrides: Mapping[str, object] | None = None
    """Dotted field (`nats.url`) to a value that wins over the file's. The program names the
    fields, never data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All that the evaluation of a document depends on."""

    document: Document
    name: str
    """Of the document among the files."""
    files: Files
    library: Files
    problems: tuple[Diagnostic, ...]


async def evaluate_document(
    document: Document, limits: EvaluationLimits | None = None
) -> Evaluated:
    """Evaluate one file under its contract; it may import files beside and below itself.

    Raises EvaluationFailed when no worker starts or the library is missing.
    """
    return await evaluate_gathered(await gather(document), limits)


async def gather(document: Document) -> Gathered:
    """Read a document and all that it imports. EvaluationFailed without a library."""
    return await anyio.to_thread.run_sync(_gather_all, document)


async def evaluate_gathered(
    gathered: Gathered, limits: EvaluationLimits | None = None
) -> Evaluated:
    """Evaluate what was read. EvaluationFailed when no worker starts."""
    document = gathered.document
    if not gathered.problems:
        name = gathered.name
        material = Material(
            files=gathered.files,
            library=gathered.library,
            overrides=document.overrides or {},
        )
        found = (await evaluate(material, {name: document.contract}, limits))[name]
    else:
        found = Evaluated(diagnostics=gathered.problems)
    folder = document.file.parent
    placed = (
        msgspec.structs.replace(each, file=str(folder / each.file))
        for each in found.diagnostics
    )
    return replace(found, diagnostics=tuple(placed))


def read_library(folder: Path) -> Files:
    """Read the contracts; EvaluationFailed when there are none."""
    taken = snapshot.take([folder])
    if "stratum.ncl" not in taken.files:
        raise EvaluationFailed(_NO_LIBRARY.format(folder))
    return {name: content for name, content in taken.files.items() if name.endswith(".ncl")}


def _gather_all(document: Document) -> Gathered:
    library = read_library(document.library)
    files, problems = read_document(document.file, library)
    return Gathered(
        document=document,
        name=Path(realpath(document.file)).name,
        files=files,
        library=library,
        problems=tuple(problems),
    )


def read_document(file: Path, library: Files) -> tuple[Files, list[Diagnostic]]:
    """Read a file and all that it imports, by path below its folder; say what is wrong."""
    place = Path(realpath(file))  # unlike `resolve` it bears links that lead to themselves
    files: dict[str, bytes] = {}
    problems: list[Diagnostic] = []
    waiting = {place.name}
    while waiting and not problems:
        name = waiting.pop()
        content = snapshot.read_file(place.parent / name, name)
        if isinstance(content, Diagnostic):
            problems.append(content)
        else:
            files[name] = content
            survey = source_text.survey(content) if name.endswith(".ncl") else Survey()
            problems += snapshot.source_problems(name, survey)
            imported = _imported(name, survey, library)
            waiting |= {each for each in imported if (place.parent / each).exists()}
            waiting -= files.keys()
    return files, problems


def _imported(name: str, survey: Survey, library: Files) -> Iterator[str]:
    """Where the imports of a file may lie."""
    for found in survey.imports:
        if not found.problem:
            yield join(dirname(name), found.path)
            if found.path not in library:
                yield found.path
