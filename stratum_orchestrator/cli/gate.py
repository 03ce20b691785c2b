"""The gate before publication: everything that whoever pulls a bundle will do, done first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os.path import realpath
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from anyio import to_thread

from stratum_graph.definitions.distribution import bundle
from stratum_graph.definitions.distribution.bundle import Parcel
from stratum_graph.definitions.scripts import Nushell, ScriptChecker
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.errors import EvaluationFailed, Untrusted
from stratum_orchestrator.auth.cedar import PolicySet
from stratum_orchestrator.auth.errors import BadPolicies
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.playing import NoCase, Played, play_all
from stratum_orchestrator.cli.workspace import NoFolder, Workspace
from stratum_orchestrator.distribution import leaks, publication, scanner
from stratum_orchestrator.distribution.publication import Draft
from stratum_orchestrator.execution.binary import find
from stratum_orchestrator.execution.errors import ExecutionError
from stratum_orchestrator.execution.nushell import LIBRARY


class NotFit(Stop):
    """The project cannot be published as it is; the findings have been told."""

    def __init__(self, errors: int) -> None:
        super().__init__(
            f"nothing was published: {errors} error{'s' * (errors != 1)}",
            remedy="mend them, then publish again",
            code=Exit.BAD_DEFINITIONS,
        )


class NoScanner(Stop):
    """The scanner that is asked for is not there, or does not work."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"nothing was published: {why}",
            remedy="install gitleaks, or leave --require-scanner out",
            code=Exit.UNAVAILABLE,
        )


class Outside(Stop):
    """What is published lies in the project, so that it is the same wherever that is."""

    def __init__(self, folder: Path, project: Path) -> None:
        super().__init__(
            f"{folder} lies outside of the project {project}",
            remedy="publish from the folder that holds it, or move it into the project",
            code=Exit.USAGE,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What is asked for beside what is always done."""

    cases: bool = False
    scanner: bool = False
    """Refuse to publish without gitleaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A bundle that may be published, and what it passed."""

    parcel: Parcel
    files: int
    size: int
    """Bytes of all files."""
    generation: str
    principals: str
    """Name of the file that says who may sign events; empty when the bundle has none."""
    checks: Mapping[str, str] = field(default_factory=dict)


async def pass_through(face: Face, place: Workspace, checks: Checks) -> Passed:
    """The bundle of the project's definitions; NotFit when something is wrong with them."""
    for folder in place.sources.folders:
        if not folder.is_dir():
            raise NoFolder(folder)
        if not folder.is_relative_to(place.project):
            raise Outside(folder, place.project)
    people = bool(place.settings.definitions.principals)
    draft = await to_thread.run_sync(partial(publication.draft, place.sources, people=people))
    _insist(face, draft.diagnostics)
    done = await _scan(face, draft, required=checks.scanner)
    with _scratch() as scratch:
        generation, folders, draft = await _compile(face, place, draft, Path(scratch))
        await _parse(face, place, draft)
        done |= {"compile": "passed", "scripts": "passed", "policies": "passed"}
        if checks.cases:
            done["cases"] = await _play(face, folders)
    return Passed(
        parcel=draft.parcel(generation),
        files=len(draft.files),
        size=sum(map(len, draft.files.values())),
        generation=generation,
        principals=draft.notes.get(bundle.PRINCIPALS, ""),
        checks=done,
    )


def _scratch() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="stratum-publish-", dir=realpath(gettempdir()))


async def _scan(face: Face, draft: Draft, *, required: bool) -> dict[str, str]:
    _insist(face, leaks.scan(draft.files))
    done = {"secrets: own rules": "passed"}
    program = scanner.find()
    if program is None:
        if required:
            why = "gitleaks is not installed"
            raise NoScanner(why)
        return done
    try:
        _insist(face, await scanner.scan(program, draft.files))
    except scanner.ScanFailed as failed:
        raise NoScanner(str(failed)) from None
    return done | {"secrets: gitleaks": "passed"}


async def _compile(
    face: Face, place: Workspace, draft: Draft, scratch: Path
) -> tuple[str, Sequence[Path], Draft]:
    """Compile what will be pulled, laid out as it will be; the graph's digest, the folders.

    The draft comes back with the scripts from elsewhere that it needs.
    """
    try:
        nu = Nushell(Path(find(place.execution(place.project))), LIBRARY)
        staged = replace(place, sources=draft.lay_out(scratch, place.sources))
        read = await staged.read(nu)
        if read.copies:
            draft = await _completed(face, draft, read.copies)
            sources = draft.lay_out(scratch, place.sources, is_closed=True)
            staged = replace(place, sources=sources)
            read = await staged.read(nu)
        _, people = await staged.principals()
        PolicySet.load(staged.sources.policies)
    except ExecutionError as missing:
        raise Stop(str(missing), code=Exit.UNAVAILABLE) from None
    except Untrusted as refused:
        raise Stop(str(refused), code=Exit.BAD_DEFINITIONS) from None
    except EvaluationFailed as failure:
        raise Stop(str(failure), code=Exit.SOFTWARE) from None
    except BadPolicies as bad:
        _insist(face, bad.diagnostics)
        raise NotFit(len(bad.diagnostics)) from None
    _insist(face, [_told(each, scratch) for each in (*read.diagnostics, *people)])
    if read.whole is None:
        raise NotFit(1)
    return read.whole.digest, staged.sources.folders, draft


async def _parse(face: Face, place: Workspace, draft: Draft) -> None:
    """Definitions name the scripts that they begin with; those may run others, so all count."""
    nu = Nushell(Path(find(place.execution(place.project))), LIBRARY)
    _insist(face, await ScriptChecker(place.content, nu).check_files(draft.files))


async def _completed(face: Face, draft: Draft, copies: Mapping[str, bytes]) -> Draft:
    """The draft with scripts from elsewhere, which are looked through like all the others."""
    more = draft.with_copies(copies)
    added = {name: each for name, each in more.files.items() if name not in draft.files}
    await _scan(face, replace(draft, files=added), required=False)
    return more


async def _play(face: Face, folders: Sequence[Path]) -> str:
    played: list[Played] = []
    for folder in folders:
        try:
            played += await play_all(face, folder)
        except NoCase:
            continue
    failed = [each for each in played if each.result.problems]
    _insist(
        face,
        [
            Diagnostic(file=f"{each.node}/case.json", message=problem)
            for each in failed
            for problem in each.result.problems
        ],
    )
    return f"{sum(not each.result.skipped for each in played)} passed"


def _insist(face: Face, found: Sequence[Diagnostic]) -> None:
    """Tell what was found, and go on only without errors."""
    tell(face.screen, found)
    errors = sum(each.severity == "error" for each in found)
    if errors:
        raise NotFit(errors)


def _told(found: Diagnostic, scratch: Path) -> Diagnostic:
    """The finding under the names that the files have in the bundle."""

    def name(given: str) -> str:
        file = Path.cwd() / given
        if not file.is_relative_to(scratch):
            return given
        return str(Path(*file.relative_to(scratch).parts[1:]))

    return found.placed(name)
