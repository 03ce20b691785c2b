"""A server held against the OpenAPI document of the API."""

from collections.abc import Mapping
from types import MappingProxyType

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from stratum_orchestrator.api import openapi

EXAMPLES = 8  # of requests to each operation
APART = {  # the one never ends, the other takes whatever policies know
    "/api/v1/events": "get",
    "/api/v1/authz": "get",
}
AT_ONCE = MappingProxyType({"wait": "0"})
SCHEMA = schemathesis.openapi.from_dict(openapi.document("1.2.3"))
OPERATIONS = [
    each
    for each in (found.ok() for found in SCHEMA.get_all_operations())
    if APART.get(each.path) != each.method
]
CHECKS = [
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
]


def hold(operation: APIOperation, url: str, token: str, known: Mapping[str, str]) -> None:
    """Send all kinds of requests, and compare what is answered with what is written.

    `known` are parts of paths that exist: else hardly any request would find something.
    """

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def ask(case: Case) -> None:
        case.path_parameters.update(
            {name: value for name, value in known.items() if name in case.path_parameters}
        )
        if "wait" in case.query:
            case.query.update(AT_ONCE)
        headers = {"Authorization": f"Bearer {token}"}
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

    ask()
