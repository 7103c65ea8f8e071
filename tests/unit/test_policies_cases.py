"""The shipped policies: each has calls that it stops and near misses that pass, and none can be dropped unseen."""

from __future__ import annotations

from functools import cache

import pytest

from policies.case import Case, read_cases, wrong_cases
from policies.check import check
from policies.folder import read_folder
from policies.judge import CedarPolicies
from policies.limits import load_limits
from policies.wording import known, spoken
from tools.language import speaking

LIMITS = load_limits()
FOLDER = read_folder()
SHIPPED = CedarPolicies(FOLDER.texts, LIMITS)
PERMITS = [id_ for id_, rule in SHIPPED.rules.items() if not rule.forbids]
FORBIDS = [id_ for id_, rule in SHIPPED.rules.items() if rule.forbids]


@cache
def cases() -> tuple[Case, ...]:
    texts, unread = FOLDER.cases()
    assert not unread
    read = [read_cases(text, file, LIMITS) for file, text in texts.items()]
    assert not [fault for _, faults in read for fault in faults]
    return tuple(case for found, _ in read for case in found)


def ended(policies: CedarPolicies, case: Case) -> tuple[str, set[str]]:
    decision = policies.under(case.limits).judge(case.request)
    return decision.ruling, {finding.policy for finding in decision.findings}


def without(id_: str) -> CedarPolicies:
    rule = SHIPPED.rules[id_]
    text = FOLDER.texts[rule.file]
    assert text.count(rule.text) == 1
    return CedarPolicies({**FOLDER.texts, rule.file: text.replace(rule.text, "")}, LIMITS)


def test_nothing_is_wrong_with_what_is_shipped() -> None:
    found = check()
    assert found.faults == ()
    assert found.digest == SHIPPED.digest
    assert len(found.ids) == len(set(found.ids)) == len(SHIPPED.rules)


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.policy} {case.place}")
def test_a_case_ends_as_it_says_and_by_no_other_policy(case: Case) -> None:
    wanted = set() if case.ruling == "approved" else {case.policy}
    assert ended(SHIPPED, case) == (case.ruling, wanted)


@pytest.mark.parametrize("id_", FORBIDS)
def test_a_call_that_a_policy_stops_ends_otherwise_without_it(id_: str) -> None:
    left = without(id_)
    stopped = [case for case in cases() if case.policy == id_ and case.ruling != "approved"]
    assert stopped
    for case in stopped:
        assert ended(left, case) != (case.ruling, {id_})


@pytest.mark.parametrize("id_", PERMITS)
def test_without_its_permit_nothing_is_allowed(id_: str) -> None:
    left = without(id_)
    assert {ended(left, case)[0] for case in cases()} <= {"refused", "held"}
    assert ("refused", {"default_deny"}) in [ended(left, case) for case in cases()]


def test_every_policy_has_a_case_and_a_near_miss_and_one_that_lacks_them_is_named() -> None:
    assert not list(wrong_cases(SHIPPED, list(cases())))
    lacking = [case for case in cases() if case.policy != "trials"]
    assert [f.place.rpartition(" ")[2] for f in wrong_cases(SHIPPED, lacking)] == ["trials"]
    only = [case for case in cases() if case.policy != "trials" or case.ruling != "approved"]
    assert [f.what for f in wrong_cases(SHIPPED, only)] == ["has no near miss that passes"]


def test_every_objection_is_one_sentence_with_a_way_out_in_both_languages() -> None:
    for case in cases():
        if case.ruling == "approved":
            continue
        for language in ("en", "zh"):
            with speaking(language):
                (finding,) = SHIPPED.under(case.limits).judge(case.request).findings
            for text in (finding.sentence, finding.fix):
                assert text
                assert "{" not in text
                assert "\n" not in text
            assert language == "en" or any("\u4e00" <= char <= "\u9fff" for char in finding.sentence)


def test_a_sentence_speaks_only_of_what_is_known() -> None:
    for rule in SHIPPED.rules.values():
        for name in ("says", "fix"):
            assert set(spoken(rule.annotations.get(name, ""))) <= known()


def test_every_question_of_a_policy_has_somebody_who_may_answer_it_by_role() -> None:
    people = LIMITS.people
    for rule in SHIPPED.rules.values():
        if rule.asks:
            assert people.who(rule.id).role in people.roles
    assert people.who("production").other_than_requester
    assert people.who("destroy_foreign").other_than_requester
    assert people.who("spend_ask") == people.who("default")
