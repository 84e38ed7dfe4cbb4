"""Features are what a scenario contains, whatever its names and texts are."""

from conformance.scenario.features import circumstances, features
from conformance.scenario.files import decode


def of(steps, agents='{"a": {}}', **more):
    extra = "".join(f', "{key}": {value}' for key, value in more.items())
    return features(decode(f'{{"agents": {agents}, "steps": [{steps}]{extra}}}'))


CREATE = '{"do": "create_thread", "thread": "t", "agent": "a"}'
RUN = '{"do": "run", "thread": "t", "say": ["one"]}'


def test_names_and_texts_are_no_features():
    other = CREATE.replace('"t"', '"other"').replace('"a"', '"b"')
    assert of(CREATE) == of(other, '{"b": {}}')
    assert of(f"{CREATE}, {RUN}") == of(f"{CREATE}, {RUN.replace('one', 'another thing')}")


def test_choices_are_features():
    plain = of(f"{CREATE}, {RUN}")
    streamed = of(f'{CREATE}, {RUN[:-1]}, "stream": true}}')
    assert streamed - plain == {"steps.run.stream=True"}
    kept = of(f"{CREATE}, {RUN}", '{"a": {"service": {"keeps": "one_id"}}}')
    assert kept - plain == {"agents.service", "agents.service.keeps=one_id"}


def test_a_second_of_a_sort_is_a_feature_and_a_third_is_none():
    once, twice, thrice = (of(", ".join([CREATE, *[RUN] * times])) for times in (1, 2, 3))
    assert once < twice
    assert "steps.run (2)" in twice
    assert twice == thrice


def test_what_no_step_uses_is_no_feature():
    assert of(f"{CREATE}, {RUN}", '{"a": {}, "b": {"per_service_call": true}}') == of(f"{CREATE}, {RUN}")


def circumstances_of(steps, agents='{"a": {}}'):
    return circumstances(decode(f'{{"agents": {agents}, "steps": [{steps}]}}'))


def test_the_ways_in_which_a_service_comes_to_keep_a_conversation_are_one_circumstance():
    hosted = circumstances_of(f'{CREATE[:-1]}, "kind": "hosted"}}, {RUN}', '{"a": {"service": {"keeps": "one_id"}}}')
    asked = circumstances_of(f'{CREATE}, {RUN[:-1]}, "store": true}}', '{"a": {"service": {"keeps": "new_ids"}}}')
    default = circumstances_of(f"{CREATE}, {RUN}", '{"a": {"service": {"keeps": "new_ids", "stores_by_default": true}}}')
    assert hosted == asked == default
    assert hosted - circumstances_of(f"{CREATE}, {RUN}") == {"keeps", "kept by the service"}


def test_whatever_makes_a_run_fail_is_one_circumstance():
    failing = [f'{RUN[:-1]}, "replies": [{{"error": "no"}}]}}', f'{RUN[:-1]}, "replies": [{{"cancelled": true}}]}}']
    assert len({circumstances_of(f"{CREATE}, {run}") for run in failing}) == 1
    assert "fails" in circumstances_of(f"{CREATE}, {failing[0]}")


def test_runs_side_by_side_are_runs_besides_being_so():
    created = ", ".join((CREATE, CREATE.replace('"t"', '"u"')))
    runs = ", ".join((RUN, RUN.replace('"t"', '"u"')))
    one_after_another = circumstances_of(f"{created}, {runs}")
    together = circumstances_of(f'{created}, {{"do": "together", "runs": [{runs}]}}')
    assert together - one_after_another == {"steps.together"}
    assert one_after_another < together
