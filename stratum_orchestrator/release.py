"""Which release this is."""

from importlib.metadata import PackageNotFoundError, version as _version


def version() -> str:
    """The installed version; `0+unknown` when run from a folder that is not installed."""
    try:
        return _version("stratum")
    except PackageNotFoundError:
        return "0+unknown"
