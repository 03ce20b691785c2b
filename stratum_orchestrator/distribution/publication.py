"""What is published: the files of a project, exactly as they were checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import realpath
from pathlib import Path

from stratum_graph.definitions import document, snapshot
from stratum_graph.definitions.distribution import bundle, trees, verify
from stratum_graph.definitions.distribution.bundle import Parcel
from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator.knowledge import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything that goes into a bundle, read once: what is checked is what is published."""

    files: Mapping[str, bytes]
    """Content by title."""
    notes: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...]

    def parcel(self, generation: str = "") -> Parcel:
        """The bundle; the same for the same files."""
        more = {bundle.GENERATION: generation} if generation else {}
        return bundle.build(self.files, {**self.notes, **more})

    def with_copies(self, copies: Mapping[str, bytes]) -> "Draft":
        """The same with scripts from elsewhere: whoever pulls the bundle fetches nothing."""
        below = _below(self.notes[bundle.FOLDERS].split(" "))
        more = {f"{below}{name}": content for name, content in copies.items()}
        return replace(self, files={**self.files, **more})

    def lay_out(self, root: Path, local: Sources, *, is_closed: bool = False) -> Sources:
        """The bundle as the folders that whoever pulls it gets. Untrusted: nobody could.

        A closed one fetches nothing.
        """
        parcel = self.parcel()
        listing = verify.examine(parcel.manifest, parcel.digest)
        tree = trees.lay_out(root, listing, self.files)
        return replace(
            local,
            folders=tree.folders,
            library=tree.library,
            policies=tree.policies,
            principals=tree.principals or local.principals,
            scripts=replace(local.scripts, is_closed=is_closed),
        )


def draft(sources: Sources, *, people: bool) -> Draft:
    """Read what is to be published; principals only if asked to. Blocks.

    They are asked for where the project says who they are: what a home made for itself lets in
    whoever works there, and nobody anywhere else.
    """
    taken = snapshot.take(sources.folders)
    names = [root.rstrip("/") for root in taken.roots]
    if names == [""]:
        names = [_name(sources.folders[0])]
    below = _below(names)
    files = {f"{below}{name}": content for name, content in taken.files.items()}
    library = document.read_library(sources.library)
    files |= {f"{bundle.LIBRARY_FOLDER}/{name}": each for name, each in library.items()}
    policies = snapshot.take([sources.policies])
    files |= {f"{bundle.POLICIES_FOLDER}/{name}": x for name, x in policies.files.items()}
    notes = {bundle.FOLDERS: " ".join(names)}
    problems = [
        *(each.placed(lambda name: f"{below}{name}") for each in taken.diagnostics),
        *(each.placed(lambda name: f"policies/{name}") for each in policies.diagnostics),
    ]
    if people:
        found, wrong = document.read_document(sources.principals, library)
        files |= {f"{bundle.PRINCIPALS_FOLDER}/{name}": x for name, x in found.items()}
        notes[bundle.PRINCIPALS] = Path(realpath(sources.principals)).name
        problems += [each.placed(lambda name: f"principals/{name}") for each in wrong]
    return Draft(files=files, notes=notes, diagnostics=tuple(problems))


def _below(names: Sequence[str]) -> str:
    """What the titles of definitions begin with; several folders are named by the rest."""
    return f"{bundle.DEFINITIONS_FOLDER}/{names[0]}/" if len(names) == 1 else "definitions/"


def _name(folder: Path) -> str:
    name = folder.absolute().name
    return name if verify.is_title(f"{bundle.DEFINITIONS_FOLDER}/{name}") else "nodes"
