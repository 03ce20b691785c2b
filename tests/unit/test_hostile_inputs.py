"""Which bad input is shown where to do no harm, and that the tests named here are there."""

import ast
from functools import cache
from pathlib import Path

import pytest

from stratum_graph.model import ActionNode, Trigger
from stratum_orchestrator.api.openapi import CATALOG

TESTS = Path(__file__).parents[1]
GRAPH, ORCHESTRATOR = "unit/stratum_graph", "unit/stratum_orchestrator"
NATS = "unit/platform_nats"

_JSON = (
    f"{ORCHESTRATOR}/test_strict_json.py::test_what_readers_could_understand_differently_is_refused",
    f"{ORCHESTRATOR}/test_intake.py::test_what_cannot_be_read_is_refused_with_its_reason",
    "crash/test_overload.py",
)
_MISTAKES = f"{GRAPH}/test_definitions_mistakes.py::test_a_mistake_is_told_by_place_and_remedy"
_NAMES = f"{GRAPH}/test_nickel_library.py::test_a_wrong_value_is_refused_in_plain_words"
_JAIL = (
    f"{GRAPH}/test_nickel_evaluation.py::test_the_jail_holds_when_the_text_was_not_looked_at"
)
_HOSTILE_FILES = "acceptance/test_definitions_hostile.py::"
_APPROVALS = f"{ORCHESTRATOR}/test_approvals.py::"
_GUARD = f"{ORCHESTRATOR}/test_api_guard.py::"
_REGISTRY = "contract/test_distribution_hostile.py::"
_ENDINGS = "acceptance/test_execution_endings.py::"
_PAYLOADS = (
    "acceptance/test_hostile_payloads.py::"
    "test_hostile_payloads_start_nothing_and_change_nothing"
)
_STORE = "contract/test_store.py::"
_REDACTION = f"{ORCHESTRATOR}/test_execution_redaction.py::"

WHERE: dict[str, tuple[str, ...]] = {
    # ---------------------------------------------------------------- payloads
    "a payload that is empty, no text or no JSON is refused": _JSON,
    "NaN and numbers beyond all bounds are refused": _JSON,
    "deep nesting is refused": _JSON,
    "integers that not every reader keeps exact are refused": _JSON,
    "a large integer comes back from the store as it was": (
        f"{ORCHESTRATOR}/test_strict_json.py::test_large_integers_are_exact_where_they_are_allowed",
        f"{_STORE}test_foreign_text_comes_back_as_it_was",
    ),
    "NUL is refused, and stored without harm where it comes up later": (
        *_JSON,
        f"{_STORE}test_foreign_text_comes_back_as_it_was",
    ),
    "lone surrogates are refused": _JSON,
    "a key that occurs twice is refused": _JSON,
    "keys with a meaning elsewhere are plain data": (_PAYLOADS, "crash/test_overload.py"),
    "too much is refused before it is parsed": (
        f"{NATS}/test_envelope.py::test_a_large_payload_or_large_headers_are_refused",
    ),
    "thousands of payloads that are code somewhere are code nowhere": (
        _PAYLOADS,
        "acceptance/test_hostile_payloads.py"
        "::test_a_script_that_takes_data_for_code_would_be_seen",
    ),
    # ---------------------------------------------------------------- schemas
    "a pattern that others choke on is judged in linear time": (
        f"{GRAPH}/test_schemas.py"
        "::test_a_pattern_that_others_choke_on_is_judged_in_linear_time",
        f"{GRAPH}/test_condition.py::test_a_hostile_pattern_is_judged_in_linear_time",
    ),
    "a schema that refers to somewhere else is refused": (
        f"{GRAPH}/test_schemas.py::test_a_schema_that_cannot_be_used_is_refused",
    ),
    "a schema may refer to itself": (
        f"{GRAPH}/test_schemas.py::test_a_schema_may_refer_to_itself",
    ),
    # ---------------------------------------------------------------- signatures
    "no signature, a wrong one, or one for something else is refused": (
        f"{NATS}/test_envelope.py::test_what_was_changed_after_signing_is_refused",
        f"{NATS}/test_envelope.py::test_an_event_without_one_of_the_five_headers_is_unsigned",
        f"{NATS}/test_nkey.py::test_a_signature_of_another_length_does_not_fit",
        f"{NATS}/test_envelope_properties.py::test_one_changed_bit_anywhere_is_refused",
    ),
    "a seed in the place of a key is refused and never repeated": (
        f"{NATS}/test_nkey.py"
        "::test_a_seed_in_the_place_of_a_public_key_is_refused_and_not_repeated",
        f"{NATS}/test_envelope.py::test_an_account_cannot_be_a_publisher",
    ),
    "an event sent again makes no second run": (
        "acceptance/test_thousand_events.py"
        "::test_each_of_a_thousand_events_gets_one_verdict_and_each_good_one_a_run",
    ),
    "an event far from its time is refused": (
        f"{NATS}/test_envelope.py::test_a_signature_far_from_the_stored_time_is_stale",
    ),
    "an id that somebody else has taken is an error": (
        "acceptance/test_transport_publishing.py"
        "::test_an_id_that_somebody_has_taken_is_an_error",
    ),
    "a subject that the server would choke on is not sent": (
        f"{NATS}/test_subject.py"
        "::test_what_the_server_would_choke_on_is_refused_with_the_reason",
    ),
    "a subject that nothing listens to is on record": (
        f"{ORCHESTRATOR}/test_intake.py"
        "::test_a_subject_without_a_pipeline_is_recorded_with_the_nearest_trigger",
    ),
    # ---------------------------------------------------------------- policies
    "an entity in a payload is a plain record": (
        f"{ORCHESTRATOR}/test_cedar.py::test_names_are_data_and_never_policy_text",
        f"{ORCHESTRATOR}/test_cedar.py::test_undeclared_context_never_reaches_cedar",
    ),
    "a policy that cannot be evaluated denies": (
        f"{ORCHESTRATOR}/test_cedar.py::test_an_error_beside_a_permit_denies",
        f"{ORCHESTRATOR}/test_cedar.py::test_a_question_out_of_shape_is_denied_with_its_error",
    ),
    "a policy with a mistake or a mistyped name does not load": (
        f"{ORCHESTRATOR}/test_cedar_policies.py::test_a_bad_policy_is_refused_by_its_place",
    ),
    "a mistake in a changed policy leaves the former ones in force and is told": (
        "acceptance/test_reload.py::test_policies_are_taken_whole_or_not_at_all",
    ),
    # ---------------------------------------------------------------- definitions
    "a definition without end, in time or in memory, is stopped and named": (
        f"{_HOSTILE_FILES}test_what_never_ends_or_grows_is_stopped",
    ),
    "a definition reads nothing outside its folder": (
        f"{_HOSTILE_FILES}test_nothing_outside_the_folder_is_imported",
        _JAIL,
    ),
    "a definition that crashes its reader takes nobody along": (
        f"{_HOSTILE_FILES}test_deep_nesting_is_refused_before_evaluation",
        f"{_HOSTILE_FILES}test_nesting_without_brackets_ends_only_the_worker",
    ),
    "pipes, links and huge files are no definitions": (
        f"{_HOSTILE_FILES}test_a_pipe_is_not_waited_for",
        f"{_HOSTILE_FILES}test_a_huge_file_is_not_read",
        f"{_HOSTILE_FILES}test_a_symbolic_link_is_not_followed",
    ),
    "what does not fit together is named with its places": (
        f"{GRAPH}/test_inspection.py::test_two_nodes_of_one_name_are_both_named",
        f"{GRAPH}/test_inspection.py::test_two_producers_are_ambiguous_until_one_is_preferred",
        f"{GRAPH}/test_inspection.py::test_a_cycle_is_named_with_its_path",
        f"{GRAPH}/test_inspection.py::test_a_missing_producer_is_named_with_what_was_meant",
        _MISTAKES,
    ),
    "names that look alike, climb, are code or do not end are refused": (_NAMES, _MISTAKES),
    "a script outside its folder is refused": (
        _NAMES,
        _MISTAKES,
        f"{_HOSTILE_FILES}test_a_symbolic_link_is_not_followed",
        "acceptance/test_execution.py::test_a_script_that_is_not_in_its_folder_is_not_started",
    ),
    # ---------------------------------------------------------------- bundles
    "a title that leaves its folder is refused": (
        f"{_REGISTRY}test_a_title_that_is_no_path_below_its_part",
    ),
    "a blob that is not what its digest says is refused": (
        f"{_REGISTRY}test_a_changed_blob",
        f"{_REGISTRY}test_a_blob_without_end",
        f"{_REGISTRY}test_a_digest_by_another_rule",
        f"{_REGISTRY}test_a_size_that_cannot_be",
    ),
    "a redirect gets no credentials": (
        f"{_REGISTRY}test_a_redirect_keeps_the_credentials_at_home",
        f"{_REGISTRY}test_a_redirect_to_what_is_no_web_address",
    ),
    # ---------------------------------------------------------------- steps
    "stdout that is not one object is refused with a hint": (
        f"{ORCHESTRATOR}/test_execution_output.py::test_anything_else_is_refused_with_a_hint",
        "acceptance/test_execution.py::test_stdout_that_is_not_one_object_is_refused",
    ),
    "output without end, input unread and streams closed stop nothing": (
        "acceptance/test_execution.py::test_a_limit_that_is_exceeded_is_named",
        "acceptance/test_execution.py::test_of_fifty_megabytes_of_stderr_the_end_is_kept",
        "acceptance/test_execution.py::test_input_may_be_ignored",
        f"{_ENDINGS}test_a_timeout_ends_everything",
        f"{_ENDINGS}test_background_processes_end_with_their_script",
    ),
    "a leased secret in the output is recorded nowhere": (
        f"{_REDACTION}test_no_part_of_a_secret_is_left_in_stderr",
        f"{_REDACTION}test_a_secret_on_stdout_fails_the_step",
        "acceptance/test_execution_secrets.py::test_what_a_script_says_holds_no_secret",
        "acceptance/test_canary.py::test_secrets_are_nowhere_but_in_their_process",
        f"{ORCHESTRATOR}/test_logs.py::test_what_is_under_the_veil_is_in_no_line",
    ),
    "an output that is not what was promised fails the step": (
        f"{ORCHESTRATOR}/test_pipeline.py::test_output_that_does_not_fit_fails_the_step",
    ),
    "a step cannot end or outlive anybody but itself": (
        "acceptance/test_execution_fence.py::test_a_step_cannot_signal_the_daemon",
        f"{_ENDINGS}test_background_processes_end_with_their_script",
        f"{_ENDINGS}test_the_signal_that_ended_it_is_told",
    ),
    "a step reads no environment but its own": (
        "acceptance/test_execution_fence.py::test_what_is_not_declared_is_denied",
        "acceptance/test_execution_fence.py"
        "::test_siblings_of_one_stage_see_nothing_of_each_other",
        "acceptance/test_execution_privacy.py"
        "::test_a_fence_of_ones_own_is_a_wall_between_siblings",
        "acceptance/test_execution_privacy.py::test_nobody_looks_into_a_daemon_that_hides",
    ),
    "what steers a terminal is shown as text": (
        f"{ORCHESTRATOR}/test_execution_complaint.py::test_terminal_sequences_are_dropped",
        f"{ORCHESTRATOR}/test_cli_online.py::test_hostile_text_reaches_the_terminal_as_text",
        f"{ORCHESTRATOR}/test_logs.py::test_a_sentence_cannot_carry_control_characters",
    ),
    "what is markup or code to a browser is text on the page": (
        "acceptance/test_page.py::test_what_a_node_was_given_and_said_is_shown_as_text",
        f"{ORCHESTRATOR}/test_api_page.py::test_data_never_becomes_markup_or_code",
        f"{_GUARD}test_every_answer_forbids_what_a_browser_could_do_with_it",
    ),
    # ---------------------------------------------------------------- HTTP
    "requests that are too large or ambiguous are refused": (
        f"{_GUARD}test_a_body_beyond_the_limit_is_refused",
        f"{_GUARD}test_malformed_http_is_answered_with_a_hardened_400",
    ),
    "who sends slowly is cut off": (
        f"{_GUARD}test_a_client_that_never_finishes_is_cut_off",
        f"{ORCHESTRATOR}/test_api_slow_clients.py::test_who_sends_byte_by_byte_is_cut_off",
        f"{ORCHESTRATOR}/test_api_slow_clients.py::test_who_says_nothing_is_cut_off",
    ),
    "a path with line breaks, dots or a query in it stays text": (
        f"{_GUARD}test_a_path_that_names_nothing_stays_text",
    ),
    "other web sites and other host names are turned away": (
        f"{_GUARD}test_a_foreign_host_name_is_misdirected",
        f"{_GUARD}test_another_web_site_is_turned_away",
        f"{_GUARD}test_a_form_cannot_command_anything",
        f"{_GUARD}test_a_browser_that_says_cross_site_is_turned_away",
    ),
    "an approval that comes twice, too late, or to another run or node changes nothing": (
        f"{_APPROVALS}test_as_many_different_people_have_to_approve_as_are_asked_for",
        f"{_APPROVALS}test_the_time_to_answer_ends_and_with_it_the_run",
        f"{_APPROVALS}test_an_answer_to_something_else_changes_nothing",
        "contract/test_store.py::test_an_answer_is_final_and_to_a_question_that_is_open",
        "acceptance/test_approvals.py::"
        "test_two_who_are_asked_let_a_step_begin_and_nobody_else_does",
    ),
    "whoever only looks at a link approves nothing": (
        f"{_APPROVALS}test_reading_never_answers",
    ),
    # ---------------------------------------------------------------- records and files
    "a name in the query language is a name": (
        f"{_STORE}test_a_name_in_the_query_language_is_a_name",
        f"{_GUARD}test_a_path_that_names_nothing_stays_text",
    ),
    "values for steps in a file that others can read or lead elsewhere are not used": (
        f"{ORCHESTRATOR}/test_lenders.py::test_a_file_of_values_is_ours_alone_or_not_used",
    ),
    "a secret that everybody can read is told with the remedy": (
        f"{ORCHESTRATOR}/test_cli.py::test_the_doctor_names_a_remedy_for_what_is_not_well",
        f"{ORCHESTRATOR}/test_cli.py::test_the_doctor_names_a_secret_that_everybody_can_read",
    ),
}


ABSENT = {
    "a schedule that never comes or means nothing": "cron",
}
"""What else is often tried, on features that are not there, by the word for them."""


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(
        each.name
        for each in tree.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and each.name.startswith("test_")
    )


@pytest.mark.parametrize("claim", WHERE)
def test_every_claim_about_bad_input_has_its_tests(claim: str) -> None:
    for place in WHERE[claim]:
        file, _, name = place.partition("::")

        assert names_in(file)
        assert not name or name in names_in(file), place


@pytest.mark.parametrize("claim", ABSENT)
def test_what_is_not_there_cannot_be_attacked(claim: str) -> None:
    fields = set(ActionNode.__struct_fields__) | set(Trigger.__struct_fields__)

    assert not [path for _, path in CATALOG if ABSENT[claim] in path]
    assert not {"cron", "schedule", "every"} & fields
