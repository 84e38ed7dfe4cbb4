"""The catalogue of rules: every rule of the specification in its section, in the order of the specification.

Fixtures, snapshots, mutants and the tests of rules stand under the same names of areas and sections.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance.rules.orchestration import (
    answer,
    as_agent,
    as_agent_streamed,
    coming_to_rest,
    completion,
    concurrency,
    nested,
    participation,
    visibility,
)
from conformance.rules.orchestration import threads as workflow_threads
from conformance.rules.persistence import (
    both_ways,
    conflict,
    conversation_ids,
    deduplication,
    equivalence,
    execution,
    failure,
    matrix,
    own_histories,
    recovery,
    refusals,
    responses,
    results,
    termination,
)
from conformance.rules.rule import Rule
from conformance.rules.threads import (
    adaptive,
    context_providers,
    continuation,
    contradictions,
    data,
    kinds,
    requests,
    several_agents,
    state,
)
from conformance.vocabulary import Area

SECTIONS: Mapping[Area, Mapping[str, tuple[Rule, ...]]] = {
    "threads": {
        "kinds": (
            kinds.local_threads_everywhere,
            kinds.hosted_threads_need_support,
            kinds.the_flag_tells_the_truth,
            kinds.hosted_threads_stay_with_their_service,
        ),
        "requests": (
            requests.local_requests_carry_everything,
            requests.hosted_requests_carry_what_is_new,
            requests.hosted_threads_follow_the_id,
            requests.a_given_id_is_sent_at_once,
            requests.a_turn_has_one_home,
            requests.the_model_sees_every_earlier_turn,
            requests.a_missing_id_is_an_error,
        ),
        "contradictions": (
            contradictions.store_on_a_local_thread,
            contradictions.no_store_on_a_hosted_thread,
            contradictions.a_conversation_id_must_be_the_threads,
            contradictions.a_conversation_id_on_a_local_thread,
            contradictions.a_refused_run_leaves_no_mark,
            contradictions.one_policy_everywhere,
        ),
        "adaptive": (
            adaptive.the_first_success_fixes_the_kind,
            adaptive.a_fixed_kind_stays,
            adaptive.an_adaptive_thread_is_restored_adaptive,
        ),
        "state": (
            state.serialized_threads_are_plain_data,
            state.a_restored_thread_behaves_the_same,
            state.restored_threads_are_independent,
            state.malformed_data_is_invalid,
            state.threads_are_isolated,
            state.the_callers_input_is_not_changed,
            state.streaming_changes_nothing,
            state.a_failed_run_leaves_a_local_thread_as_it_was,
        ),
        "context_providers": (
            context_providers.context_state_lives_on_the_thread,
            context_providers.providers_do_not_share,
            context_providers.providers_are_told_once,
            context_providers.injected_messages_are_sent_and_not_stored,
        ),
        "several_agents": (
            several_agents.a_local_thread_moves_with_its_history,
            several_agents.a_reducer_bounds_what_is_sent,
            several_agents.looking_shows_and_changes_nothing,
            several_agents.a_thread_keeps_its_own_copies,
            several_agents.an_agent_as_a_tool_keeps_to_itself,
        ),
        "continuation": (
            continuation.the_last_id_of_a_stream_counts,
            continuation.a_conversation_that_is_gone_is_an_error,
        ),
        "data": (data.the_data_of_a_hosted_thread_holds_no_message,),
    },
    "persistence": {
        "matrix": (
            matrix.per_run_appends_once_at_the_end,
            matrix.per_call_appends_after_every_call,
            matrix.as_is_persists_per_run,
            matrix.as_is_without_the_decorator_warns_and_appends_nothing,
            matrix.as_is_with_the_decorator_persists_per_call,
            matrix.all_cells_give_the_same_response,
            matrix.both_settings_default_to_false,
            matrix.history_is_loaded_before_every_call,
        ),
        "deduplication": (
            deduplication.no_message_is_appended_twice,
            deduplication.nothing_is_lost,
            deduplication.the_order_is_that_of_the_conversation,
            deduplication.a_response_is_never_delivered_as_request,
            deduplication.stored_history_is_well_formed,
        ),
        "termination": (
            termination.a_trailing_result_is_not_stored_per_call,
            termination.a_trailing_result_is_a_policy_per_run,
            termination.missing_results_can_be_supplied,
        ),
        "equivalence": (
            equivalence.stored_history_equals_the_services_transcript,
            equivalence.both_modes_end_with_the_same_history,
        ),
        "failure": (
            failure.a_failing_call_keeps_the_earlier_ones,
            failure.a_failing_run_stores_nothing,
            failure.providers_are_told_of_a_failure_once,
            failure.a_run_after_a_failed_one_stores_its_own,
            failure.a_tool_that_raises_leaves_history_whole,
            failure.a_failing_provider_fails_the_run,
            failure.an_abandoned_stream_loses_nothing,
        ),
        "conversation_ids": (
            conversation_ids.the_sentinel_stays_inside,
            conversation_ids.the_sentinel_is_no_id,
            conversation_ids.ids_are_updated_after_each_call,
            conversation_ids.ids_are_updated_at_the_end,
            conversation_ids.a_managed_conversation_gets_what_is_new,
            conversation_ids.an_approved_call_is_sent_once,
        ),
        "conflict": (
            conflict.throw_raises_on_a_conflict,
            conflict.warn_warns_once,
            conflict.clear_detaches_the_provider,
            conflict.a_provider_beside_the_service_only_gets_a_copy,
            conflict.the_default_store_gives_way,
            conflict.no_id_no_conflict,
        ),
        "both_ways": (
            both_ways.streaming_stores_the_same,
            both_ways.interleaved_runs_store_each_its_own,
            both_ways.background_runs_persist_at_the_end,
            both_ways.other_threads_keep_their_history,
            both_ways.an_unrelated_input_sends_no_orphan_call,
            both_ways.switching_leaves_one_history,
            both_ways.a_limit_leaves_nothing_dangling,
            both_ways.injected_messages_reach_every_call,
        ),
        "own_histories": (
            own_histories.what_is_stored_is_how_the_conversation_begins,
            own_histories.threads_keep_histories_as_providers_do,
        ),
        "recovery": (recovery.an_interruption_poisons_no_thread,),
        "execution": (execution.a_call_is_executed_once, execution.the_loop_ends_when_it_has_to),
        "results": (
            results.outcomes_keep_their_meaning,
            results.results_have_one_order,
            results.results_have_the_order_of_their_calls,
        ),
        "responses": (responses.a_response_holds_what_its_run_produced,),
        "refusals": (refusals.no_refusal_that_nobody_scripted,),
    },
    "orchestration": {
        "completion": (
            completion.one_completion_a_run,
            completion.the_completion_is_the_last_output,
            completion.the_completion_can_be_told,
            completion.a_suspended_run_is_not_completed,
            completion.a_run_that_fails_does_not_complete,
            completion.runs_do_not_leak_into_each_other,
            completion.several_completions_are_detected,
            completion.an_end_without_completion_is_reported,
            completion.a_streamed_answer_is_whole,
            completion.streaming_changes_no_output,
        ),
        "answer": (
            answer.the_answer_is_a_response,
            answer.the_answer_is_no_dump,
            answer.sequential_answers_with_the_last_response,
            answer.concurrent_answers_with_every_response,
            answer.handoff_outputs_everything_as_intermediate,
            answer.group_chat_answers_with_the_managers_summary,
            answer.magentic_answers_with_the_synthesis,
            answer.a_limit_ends_with_an_answer,
            answer.edge_sizes_answer_alike,
        ),
        "visibility": (
            visibility.without_intermediates_there_is_one_output,
            visibility.with_intermediates_each_response_is_shown_once,
            visibility.looking_changes_nothing,
        ),
        "as_agent": (
            as_agent.as_an_agent_the_answer_is_the_response,
            as_agent.as_an_agent_intermediates_come_before_the_answer,
            as_agent.as_an_agent_updates_join_to_the_response,
            as_agent.a_handoff_as_an_agent_returns_what_was_said,
            as_agent.as_an_agent_a_request_can_be_answered,
            as_agent.a_thread_keeps_the_conversation_of_a_workflow,
        ),
        "nested": (
            nested.a_child_completes_itself_only,
            nested.a_childs_request_suspends_its_parent,
            nested.two_children_do_not_mix,
        ),
        "concurrency": (
            concurrency.every_order_of_finishing_gives_the_same_answer,
            concurrency.a_failing_participant_leads_to_one_end,
            concurrency.interleaved_runs_do_not_mix,
        ),
        "threads": (
            workflow_threads.participants_hear_one_thread,
            workflow_threads.who_takes_over_knows_the_conversation,
            workflow_threads.participants_are_sent_new_messages_or_all,
            workflow_threads.an_abandoned_workflow_can_be_used_again,
        ),
        "participation": (participation.everyone_who_is_due_is_asked, participation.participants_hear_what_is_due),
        "as_agent_streamed": (as_agent_streamed.streaming_changes_no_message,),
        "coming_to_rest": (coming_to_rest.each_rest_is_said_once_and_truly, coming_to_rest.every_run_comes_back),
    },
}

CATALOGUE: Mapping[str, Rule] = {rule.id: rule for sections in SECTIONS.values() for rules in sections.values() for rule in rules}
"""Every rule by its id, in the order of the specification."""


def section_of(id: str) -> str:
    """The section that a rule stands in. Raises KeyError for an id that is no rule's."""
    rule = CATALOGUE[id]
    return next(name for name, rules in SECTIONS[rule.area].items() if rule in rules)
