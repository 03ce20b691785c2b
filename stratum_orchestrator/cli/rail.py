"""What ties the nodes of a stage together in a picture."""


def rail(stage: int, at: int, of: int, *, unicode: bool) -> str:
    """What stands before a node: the number of its stage, from 1, and a piece of a bracket."""
    single, first, middle, last = "─┬├└" if unicode else "-+||"
    joint = single if of == 1 else first if at == 0 else last if at == of - 1 else middle
    number = f"{stage + 1}" if at == 0 else ""
    return f"{number:>2} {joint}"
