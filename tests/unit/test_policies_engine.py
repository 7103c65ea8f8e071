"""What decides: default deny, forbid wins, and nothing that could not be judged is ever allowed."""

from __future__ import annotations

from collections.abc import Callable

import cedarpy
import pytest

from policies.engine import Decision
from policies.input import wire
from policies.judge import CedarPolicies
from policies.limits import load_limits
from policies.load import load_policies
from policies.request import Facts, Request
from tools.catalogue import BY_NAME
from tools.language import speaking

LIMITS = load_limits()
SHIPPED = load_policies()
PERMIT = '@id("all") permit (principal, action, resource);\n'


def request(tool: str = "tune_model", **more: object) -> Request:
    """A free call that nothing objects to; more facts, or `input` and `requester`."""
    facts: dict[str, object] = {"backend": "sim", "digest": "d", "now_ms": 0, "limit_ms": 1000, "cost_micro": 0}
    given = {name: more.pop(name) for name in ("input", "requester", "run", "taint") if name in more}
    return Request.model_validate({"requester": "ada", "run": "r", "tool": tool, "facts": facts | more} | given)


def judge(text: str, asked: Request | None = None) -> Decision:
    return CedarPolicies({"own.cedar": text}, LIMITS).judge(asked or request())


def forbid(id_: str, when: str = "true", *, scope: str = "action", asks: bool = False) -> str:
    on_deny = '@on_deny("require_approval")' if asks else ""
    return f'@id("{id_}") @says("{id_} of {{tool}}") @fix("help") {on_deny} forbid (principal, {scope}, resource) when {{ {when} }};\n'  # noqa: E501


def test_what_nothing_permits_is_refused() -> None:
    decision = judge(forbid("never", "false"))
    assert decision.ruling == "refused"
    assert [f.policy for f in decision.findings] == ["default_deny"]
    assert "no policy permits tune_model" in decision.findings[0].sentence


def test_a_forbid_wins_over_every_permit() -> None:
    decision = judge(PERMIT + forbid("stop"))
    assert (decision.ruling, [f.sentence for f in decision.findings]) == ("refused", ["stop of tune_model"])
    assert judge(PERMIT).ruling == "approved"


def test_a_person_is_asked_only_where_nothing_else_forbids() -> None:
    held = judge(PERMIT + forbid("a", asks=True) + forbid("b", asks=True))
    assert (held.ruling, [(f.policy, f.ruling) for f in held.findings]) == ("held", [("a", "held"), ("b", "held")])
    both = judge(PERMIT + forbid("a", asks=True) + forbid("b"))
    assert (both.ruling, [f.policy for f in both.findings]) == ("refused", ["b"])


def test_what_nothing_permits_is_not_offered_to_a_person() -> None:
    """A yes would permit what no policy does."""
    assert judge(forbid("a", asks=True)).ruling == "refused"


def test_a_policy_that_cannot_be_evaluated_refuses_instead_of_being_skipped() -> None:
    overflow = "context.facts.now_ms + 9223372036854775807 > 0"
    decision = judge(PERMIT + forbid("sum", overflow), request(now_ms=1))
    assert decision.ruling == "refused"
    assert [f.policy for f in decision.findings] == ["engine"]
    assert "overflow" in decision.errors[0]
    assert judge(PERMIT + forbid("sum", overflow), request(now_ms=-1)).findings[0].policy == "sum"


def test_nobody_is_asked_while_a_policy_cannot_be_evaluated() -> None:
    """Neither by another policy, nor where the one that fails is itself one that asks."""
    overflow = forbid("sum", "context.facts.now_ms + 9223372036854775807 > 0", asks=True)
    decision = judge(PERMIT + forbid("a", asks=True) + overflow, request(now_ms=1))
    assert (decision.ruling, decision.findings[0].policy) == ("refused", "engine")


@pytest.mark.parametrize("context", ["{", "{}", "null", '{"facts": 1}'])
def test_a_context_that_cannot_be_read_allows_nothing(context: str) -> None:
    parsed = CedarPolicies({"own.cedar": PERMIT}, LIMITS)._parsed
    answer = parsed.ask(request(), BY_NAME["tune_model"], context)
    assert not answer.allowed
    assert answer.errors


def test_an_answer_with_errors_allows_nothing_although_the_language_says_so() -> None:
    """It skips a forbid that fails."""
    text = PERMIT + forbid("sum", "context.facts.now_ms + 9223372036854775807 > 0")
    parsed, asked = CedarPolicies({"own.cedar": text}, LIMITS)._parsed, request(now_ms=1)
    context, odd = wire(asked, BY_NAME["tune_model"], LIMITS)
    answer = parsed.ask(asked, BY_NAME["tune_model"], context)
    assert (answer.reasons, answer.allowed, odd) == (("all",), False, ())


def test_an_unknown_tool_is_refused_whatever_is_permitted() -> None:
    decision = judge(PERMIT, request("rm_everything"))
    assert (decision.ruling, decision.findings[0].policy) == ("refused", "default_deny")


@pytest.mark.parametrize("tool", ["mutate", "spend", "read", "destroy", "serve", "job", ""])
def test_a_group_of_actions_is_no_tool(tool: str) -> None:
    assert judge(PERMIT, request(tool)).ruling == "refused"


@pytest.mark.parametrize("group", ["mutate", "spend", "job"])
def test_a_forbid_on_a_group_reaches_its_tools(group: str) -> None:
    """Without the hierarchy of the schema such a forbid would silently never match."""
    text = PERMIT + forbid("stop", scope=f'action in Action::"{group}"')
    assert judge(text).findings[0].policy == "stop"
    assert judge(text, request("find_model")).ruling == "approved"
    asked = PERMIT + forbid("stop", f'action in Action::"{group}"')
    assert judge(asked).findings[0].policy == "stop"


def test_the_hierarchy_is_in_the_entities_and_lost_without_the_schema() -> None:
    """What the engine does by itself: an empty list of entities knows no group."""
    parsed = CedarPolicies({"own.cedar": PERMIT}, LIMITS)._parsed
    assert '"mutate"' in str(parsed.entities)
    assert len(cedarpy.Entities.from_json_str("[]")) == 0


@pytest.mark.parametrize(
    "text",
    ["permit (", "garbage", 'permit (principal, action, resource);', PERMIT + PERMIT, '@id("t") permit (principal == ?principal, action, resource);'],  # noqa: E501
)  # fmt: skip
def test_policies_that_cannot_be_used_refuse_everything(text: str) -> None:
    decision = judge(text)
    assert (decision.ruling, decision.findings[0].policy) == ("refused", "engine")
    assert decision.errors


def test_no_policies_at_all_refuse_everything() -> None:
    assert CedarPolicies({}, LIMITS).judge(request()).ruling == "refused"


class Panic(BaseException):
    """What a crash of the engine is: no Exception."""


@pytest.mark.parametrize(
    "error", [Panic("of all things"), ValueError("of all things"), RecursionError("of all things")]
)
def test_whatever_goes_wrong_refuses(error: BaseException) -> None:
    class Failing(CedarPolicies):
        def _judge(self, asked: Request) -> Decision:
            raise error

    decision = Failing({"own.cedar": PERMIT}, LIMITS).judge(request())
    assert decision.ruling == "refused"
    assert decision.errors == (f"{type(error).__name__}: of all things",)
    assert "of all things" in decision.findings[0].sentence


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_an_interruption_is_not_taken_for_a_judgement(error: BaseException) -> None:
    class Interrupted(CedarPolicies):
        def _judge(self, asked: Request) -> Decision:
            raise error

    with pytest.raises(type(error)):
        Interrupted({"own.cedar": PERMIT}, LIMITS).judge(request())


def test_a_sentence_with_a_field_that_is_not_known_still_says_what_it_can() -> None:
    text = PERMIT + '@id("odd") @says("{tool} has {nothing}") @fix("x") forbid (principal, action, resource);'
    (finding,) = judge(text).findings
    assert finding.sentence == "tune_model has {nothing}"


def test_what_a_fact_says_is_no_template_and_steers_no_terminal() -> None:
    asked = request("deploy_model", mine=False, owner="{requester.__class__} \x1b[31mbob\u202e", target="shop")
    (finding,) = SHIPPED.judge(asked).findings
    assert finding.sentence == "deploy_model acts on shop, which belongs to {requester.__class__} bob"


def test_the_digest_changes_with_every_policy_and_limit() -> None:
    digests = {
        CedarPolicies({"a.cedar": PERMIT}, LIMITS).digest,
        CedarPolicies({"a.cedar": PERMIT + forbid("b")}, LIMITS).digest,
        CedarPolicies({"b.cedar": PERMIT}, LIMITS).digest,
        CedarPolicies({"a.cedar": PERMIT}, LIMITS.model_copy(update={"search": LIMITS.search.model_copy(update={"trials": 1})})).digest,  # noqa: E501
    }  # fmt: skip
    assert len(digests) == 4
    assert CedarPolicies({"a.cedar": PERMIT}, LIMITS).digest in digests


def _by_backend(context: str) -> str:
    return PERMIT + forbid("stop", context)


@pytest.mark.parametrize(
    ("when", "asked"),
    [
        ('context.taint has endpoint && context.taint.endpoint == "outside"', {"taint": {"endpoint": "outside"}}),
        ("context.input has replicas && context.input.replicas > 2", {"input": {"replicas": 3}}),
        ("context.limits.trials == 500", {}),
        ('context.facts.constraints.contains("no_gpu")', {"constraints": ("no_gpu",)}),
        ('principal == Person::"ada" && resource == Run::"r"', {}),
    ],
)
def test_a_policy_sees_arguments_facts_labels_limits_and_who_asks(when: str, asked: dict[str, object]) -> None:
    assert judge(_by_backend(when), request("deploy_model", **asked)).findings[0].policy == "stop"


@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        ("release_resource", {"kind": "endpoint", "id": "shop"}, "ends endpoint shop, which ada owns"),
        ("withdraw_version", {"endpoint": "shop", "version": "v-1"}, "ends version v-1 of shop, which ada owns"),
        ("withdraw_version", {"endpoint": "shop"}, "ends a version of shop, which ada owns"),
    ],
)
def test_a_question_names_what_would_end(tool: str, given: dict[str, object], said: str) -> None:
    decision = SHIPPED.judge(request(tool, input=given, target="shop"))
    assert decision.ruling == "held"
    assert said in decision.findings[0].sentence


@pytest.mark.parametrize(
    ("taint", "stops"),
    [
        ({"tables": "outside"}, True),
        ({"tables[0].source": "file", "tables.1.source": "outside"}, True),
        ({"sources": "outside"}, True),
        ({"tables": "tool"}, False),
        ({"label": "outside"}, False),
        ({}, False),
    ],
)
def test_a_view_is_as_little_trusted_as_what_it_is_drawn_from(taint: dict[str, str], stops: bool) -> None:
    when = 'context.taint has sources && context.taint.sources == "outside"'
    decision = judge(PERMIT + forbid("stop", when), request("prepare_data", taint=taint))
    assert decision.ruling == ("refused" if stops else "approved")


def test_refusals_are_said_in_the_language_of_the_run() -> None:
    with speaking("zh"):
        (finding,) = SHIPPED.judge(request(input={"trials": 501})).findings
    assert finding.sentence == "tune_model 要求 501 次试验，而 limits.yaml 允许 500 次"


ODD: list[Callable[[], Request]] = [
    lambda: request(input={"trials": True}),
    lambda: request(input={"trials": 2**63}),
    lambda: request(input={"trials": 1.5}),
    lambda: request(input={"trials": float("nan")}),
    lambda: request(input={"trials": "8"}),
    lambda: request(input={"trials": None}),
    lambda: request(input={"family": "\ud800"}),
    lambda: request(input={"family": "x" * 10_000}),
    lambda: request(input={"family": {"__entity": {"type": "Person", "id": "root"}}}),
    lambda: request(input={"unknown": 1}),
    lambda: request("prepare_data", input={"sources": ["a", 3]}),
    lambda: request("prepare_data", input={"sources": "a"}),
    lambda: request("mirror_traffic", input={"on": 1}),
    lambda: request(requester="\udfff"),
    lambda: request(run="\udfff"),
    lambda: request(now_ms=2**63),
    lambda: request(left_micro=-(2**63)),
    lambda: request(target="\ud800"),
    lambda: request(scope=("\ud800",)),
]


@pytest.mark.parametrize("odd", ODD)
def test_what_no_policy_could_judge_is_refused_with_a_sentence(odd: Callable[[], Request]) -> None:
    decision = SHIPPED.judge(odd())
    assert decision.ruling == "refused"
    assert [f.policy for f in decision.findings] == ["arguments"]
    assert len(decision.findings[0].sentence) > 10
    decision.model_dump_json()


def test_nesting_of_any_depth_is_refused() -> None:
    deep: object = []
    for _ in range(5000):
        deep = [deep]
    assert SHIPPED.judge(request("prepare_data", input={"sources": deep})).ruling == "refused"
    assert SHIPPED.judge(request(input={"__entity": deep})).ruling == "approved"


def test_facts_are_facts() -> None:
    with pytest.raises(ValueError, match="greater than or equal"):
        Facts(backend="sim", digest="", now_ms=0, limit_ms=-1)
