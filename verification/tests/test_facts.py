"""No sentence decides anything: with every sentence in other words the same is found."""

import codecs
import json
from dataclasses import replace

import pytest
from hypothesis import settings

from verification import check
from verification.catalogue import SECTIONS
from verification.explain import general, groups, why
from verification.failure import PropertyFailed

THOROUGH = settings().max_examples > 100
BUGS = [(section.spec, bug) for section in SECTIONS for bug in section.bugs if bug.family != "non-deterministic"]


def other_words(sentence):
    """Return a sentence of other words; the names of arrays, which stand in it as facts, stay."""
    return " ".join(
        word if word.startswith(("dLd", "y", "forward(x)")) else codecs.encode(word, "rot13")
        for word in sentence.split(" ")
    )


def facts(spec):
    """Return all that a report has but its sentences."""
    report = check(spec, examples=6)
    told = [cause.to_dict() for cause in report.causes]
    for cause in told:
        cause.pop("message")
        cause["why"] = [one["family"] for one in cause["why"]]
        if cause["counterexample"]:
            script = cause["counterexample"]["script"].splitlines()
            cause["counterexample"]["script"] = [line for line in script if not line.startswith("#")]
    return json.dumps([told, [(item.name, item.verdict, item.examples) for item in report.properties]])


@pytest.mark.parametrize(
    ("ready", "bug"), BUGS[:: 7 if THOROUGH else 400], ids=lambda value: getattr(value, "name", None) or value.__name__
)
def test_other_words_find_the_same(ready, bug, monkeypatch):
    spec = replace(ready(bug.layer), realistic=None)
    before = facts(spec)
    made, ready_made, reason = PropertyFailed.__init__, general.general_mistakes, why.Why

    def failed(self, sentence, *args, **kwargs):
        made(self, other_words(sentence), *args, **kwargs)

    def reworded(knob):
        return replace(knob, sentence=other_words(knob.sentence))

    monkeypatch.setattr(PropertyFailed, "__init__", failed)
    monkeypatch.setattr(why, "general_mistakes", lambda spec: [*map(reworded, ready_made(spec))])
    monkeypatch.setattr(groups, "Why", lambda family, sentence: reason(family, other_words(sentence)))
    assert facts(replace(spec, mistakes=tuple(map(reworded, spec.mistakes)))) == before
