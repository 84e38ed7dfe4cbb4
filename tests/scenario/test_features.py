"""Features are what a scenario contains, whatever its names and texts are."""

from conformance.scenario.features import features
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
