"""The gate before publication: everything that whoever pulls a bundle will do, done first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os.path import realpath
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import NamedTuple

from anyio import to_thread

from stratum_graph.definitions.distribution import bundle
from stratum_graph.definitions.distribution.bundle import Parcel
from stratum_graph.definitions.scripts import Nushell, ScriptChecker
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.errors import EvaluationFailed, Untrusted
from stratum_orchestrator.auth.cedar import PolicySet
from stratum_orchestrator.auth.errors import BadPolicies
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.objections import NotFit, Objections
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.playing import NoCase, Played, play_all
from stratum_orchestrator.cli.workspace import NoFolder, Workspace
from stratum_orchestrator.distribution import leaks, publication, scanner
from stratum_orchestrator.distribution.publication import Draft
from stratum_orchestrator.execution.binary import find
from stratum_orchestrator.execution.errors import ExecutionError
from stratum_orchestrator.execution.nushell import LIBRARY
from stratum_orchestrator.saga import case


class NoScanner(Stop):
    """The scanner that is asked for is not there, or does not work."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"nothing was published: {why}",
            remedy="install gitleaks (pip install 'stratum[scan]' brings it), "
            "or leave --require-scanner out",
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
    for folder in (*place.sources.awaited, *place.sources.folders):
        if not folder.is_dir():
            raise NoFolder(folder)
        if not folder.is_relative_to(place.project):
            raise Outside(folder, place.project)
    people = bool(place.settings.definitions.principals)
    draft = await to_thread.run_sync(partial(publication.draft, place.sources, people=people))
    with _scratch() as scratch:
        folders = draft.notes[bundle.FOLDERS].split(" ")
        objections = Objections.about(face.screen, place.sources, folders, Path(scratch))
        return await _Gate(face, place, objections).judge(draft, checks)


def _scratch() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="stratum-publish-", dir=realpath(gettempdir()))


class _Compiled(NamedTuple):
    """A draft with all that it needs."""

    draft: Draft
    generation: str
    """Digest of the graph."""
    folders: Sequence[Path]
    """Where its definitions lie now."""


@dataclass(frozen=True, slots=True)
class _Gate:
    """What a draft has to go through."""

    face: Face
    place: Workspace
    objections: Objections

    async def judge(self, draft: Draft, checks: Checks) -> Passed:
        self.objections.insist(draft.diagnostics)
        done = await self._scan(draft, required=checks.scanner)
        made = await self._compile(draft)
        await self._parse(made.draft)
        done |= {"compile": "passed", "scripts": "passed", "policies": "passed"}
        if checks.cases:
            done["cases"] = await self._play(made.folders)
        return Passed(
            parcel=made.draft.parcel(made.generation),
            files=len(made.draft.files),
            size=sum(map(len, made.draft.files.values())),
            generation=made.generation,
            principals=made.draft.notes.get(bundle.PRINCIPALS, ""),
            checks=done,
        )

    async def _scan(self, draft: Draft, *, required: bool) -> dict[str, str]:
        self.objections.insist(leaks.scan(draft.files))
        done = {"secrets: own rules": "passed"}
        program = scanner.find()
        if program is None:
            if required:
                why = "gitleaks is not installed"
                raise NoScanner(why)
            return done
        try:
            self.objections.insist(await scanner.scan(program, draft.files))
        except scanner.ScanFailed as failed:
            raise NoScanner(str(failed)) from None
        return done | {"secrets: gitleaks": "passed"}

    async def _compile(self, draft: Draft) -> _Compiled:
        """Compile what will be pulled, laid out as it will be, with scripts from elsewhere."""
        try:
            nu, scratch = self._nushell(), self.objections.scratch
            staged = replace(self.place, sources=draft.lay_out(scratch, self.place.sources))
            read = await staged.read(nu)
            if read.copies:
                draft = await self._completed(draft, read.copies)
                sources = draft.lay_out(scratch, self.place.sources, is_closed=True)
                staged = replace(self.place, sources=sources)
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
            self.objections.insist(bad.diagnostics)
            raise NotFit(len(bad.diagnostics)) from None
        self.objections.insist([*read.diagnostics, *people])
        if read.whole is None:
            raise NotFit(1)
        return _Compiled(draft, read.whole.digest, staged.sources.folders)

    async def _parse(self, draft: Draft) -> None:
        """Definitions name the scripts they begin with; those may run others, so all count."""
        checker = ScriptChecker(self.place.content, self._nushell())
        self.objections.insist(await checker.check_files(draft.files))

    def _nushell(self) -> Nushell:
        return Nushell(Path(find(self.place.execution(self.place.project))), LIBRARY)

    async def _completed(self, draft: Draft, copies: Mapping[str, bytes]) -> Draft:
        """The draft with scripts from elsewhere, which are looked through like all others."""
        more = draft.with_copies(copies)
        added = {name: each for name, each in more.files.items() if name not in draft.files}
        await self._scan(replace(draft, files=added), required=False)
        return more

    async def _play(self, folders: Sequence[Path]) -> str:
        played: list[Played] = []
        for folder in folders:
            try:
                played += await play_all(self.face, folder)
            except NoCase:
                continue
        self.objections.insist(
            [
                Diagnostic(file=str(each.folder / case.FILE), message=problem)
                for each in played
                for problem in each.result.problems
            ],
        )
        return f"{sum(not each.result.skipped for each in played)} passed"
