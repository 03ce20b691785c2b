"""Secrets, which are never to be published: found in texts, and never shown. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stratum_graph.diagnostics import Diagnostic

ALLOWED = "stratum:not-a-secret"
"""A line with these words is passed over."""


class _Rule(NamedTuple):
    what: str
    pattern: re.Pattern[str]


_RULES = tuple(
    _Rule(what, re.compile(pattern))
    for what, pattern in {
        "an NKey seed": r"\bS[ACNOUX][A-Z2-7]{56}\b",
        "a vault token": r"\b(?:hv[sbr]\.[A-Za-z0-9_-]{20,}|[sb]\.[A-Za-z0-9]{24})\b",
        "a private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----",
        "a password in an address": r"\b[a-z][a-z0-9+.-]*://[^\s:@/\"'$]+:[^\s@/\"'$({]{3,}@",
        "a Basic authorization": r"(?i)\bbasic\s+[A-Za-z0-9+/]{12,}={0,2}(?![A-Za-z0-9+/])",
        "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})\b",
        "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
        "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        "a JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
        "a secret written out": (
            r"(?i)\b[a-z0-9_-]*(?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[:=]\s*"
            r"[\"'][^\"'$%{}()\s]{8,}[\"']"
        ),
    }.items()
)
_HINT = f"lend it to the node with `credentials`; if it is none, write `{ALLOWED}` beside it"


def scan(files: Mapping[str, bytes]) -> tuple[Diagnostic, ...]:
    """Every line that looks as if it held a secret; the findings never repeat it."""
    return tuple(
        found for name, content in sorted(files.items()) for found in _scan(name, content)
    )


def _scan(name: str, content: bytes) -> Iterator[Diagnostic]:
    text = content.decode(errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if ALLOWED in line:
            continue
        for rule in _RULES:
            match = rule.pattern.search(line)
            if match:
                yield Diagnostic(
                    file=name,
                    line=number,
                    column=match.start() + 1,
                    message=f"looks like {rule.what}",
                    hint=_HINT,
                )
