"""The folder of a definition: the files that its scripts run with."""

from collections import defaultdict
from collections.abc import Iterator
from posixpath import dirname

from stratum_graph.definitions.messages import meant
from stratum_graph.definitions.snapshot import MAX_TREE, MAX_TREE_FILES, Files, size
from stratum_graph.definitions.source_text import Place, place_of_text
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import ActionNode


class Folders:
    """Cuts the files of a snapshot into the folders of its definitions.

    A folder is all that lies in and below the place of a `.ncl` file, without the `.ncl`
    files themselves and without sub-folders that hold `.ncl` files of their own.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._names: dict[str, list[str]] = defaultdict(list)
        self._inner: dict[str, set[str]] = defaultdict(set)
        self._defining: set[str] = set()
        known = {""}
        for path in files:
            folder = dirname(path)
            if path.endswith(".ncl"):
                self._defining.add(folder)
            else:
                self._names[folder].append(path)
            while folder not in known:
                known.add(folder)
                self._inner[dirname(folder)].add(folder)
                folder = dirname(folder)

    def of(self, file: str) -> Files:
        """The files that the definition in `file` runs with, by path below its folder."""
        folder = dirname(file)
        cut = len(folder) + 1 if folder else 0
        return {path[cut:]: self._files[path] for path in self._below(folder)}

    def _below(self, folder: str) -> Iterator[str]:
        yield from self._names[folder]
        for inner in self._inner[folder] - self._defining:
            yield from self._below(inner)


def problems(node: ActionNode, file: str, text: str, folder: Files) -> Iterator[Diagnostic]:
    """What can be said against a definition's folder."""
    total = sum(map(len, folder.values()))
    if len(folder) > MAX_TREE_FILES or total > MAX_TREE:
        yield Diagnostic(
            file=file,
            message=f"its folder holds {len(folder)} files with {size(total)}, "
            f"of at most {MAX_TREE_FILES} files with {size(MAX_TREE)}",
            hint="keep data elsewhere and name it in `handler.read`",
        )
    scripts = {"handler": node.handler.script}
    if node.compensate:
        scripts["compensate"] = node.compensate.script
    for field, script in scripts.items():
        if script not in folder:
            why = "which does not exist"
            hint = meant(script, folder) or "scripts lie in the definition's folder"
        elif not folder[script].strip():
            why, hint = "which is empty", "write what it does: `def main [] { … }`"
        else:
            continue
        place = place_of_text(text, script) or Place(1, 1)
        yield Diagnostic(
            file=file,
            line=place.line,
            column=place.column,
            message=f"`{field}.script` names `{script}`, {why}",
            hint=hint,
        )
