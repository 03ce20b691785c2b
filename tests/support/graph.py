"""Short ways to declare nodes for a test."""

from stratum_graph.model import (
    ActionNode,
    Compensate,
    Definition,
    Effect,
    Handler,
    JsonSchema,
    Retry,
    Trigger,
)


def node(
    name: str,
    *,
    needs: str = "",
    gives: str = "",
    on: str = "",
    pipeline: str = "p",
    undo: bool = True,
    **fields: object,
) -> Definition:
    """A definition: `needs`, `gives` and `on` (subjects) are blank-separated."""
    declared = ActionNode(
        schema="stratum/v1",
        name=name,
        consumes=tuple(needs.split()),
        produces=tuple(gives.split()),
        trigger=Trigger(pipeline=pipeline, subjects=tuple(on.split())) if on else None,
        handler=Handler(script="run.nu"),
        compensate=Compensate(script="undo.nu", retry=Retry(attempts=3, delay=0.001))
        if undo
        else None,
        **fields,  # type: ignore[arg-type]
    )
    return Definition(node=declared, file=f"{name}/node.ncl", tree=f"sha256:{name}")


def shape(**properties: JsonSchema) -> JsonSchema:
    """A closed object schema, every property required."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


PURE: Effect = "pure"
