"""Names that a goal only rules out, what it only quotes, and whether it asks to mend: read from its own words."""

from __future__ import annotations

import pytest

from agent.brain.protocol import Context, Open
from agent.brain.rules.brain import Rules
from agent.brain.rules.grammar.ruled_out import ruled_out
from agent.brain.rules.mending_asked import asks_to_mend
from agent.contract import Contract
from agent.goal import Goal

_RULED_OUT = (
    ("python wipe.py", "Train a classifier on data/a.csv predicting y. Do not run python wipe.py."),
    ("python wipe.py", "Train on data/a.csv. Don't run `wipe.py`."),
    ("python wipe.py", "用 data/a.csv 训练，不要运行 python wipe.py"),
    ("tumours", "Don't scale tumours, scale churn to 3 replicas"),
    ("tumours", "不要动 tumours 服务，把 churn 服务扩到 3 个副本"),
    ("tumours", "不要把 tumours 扩容，把 churn 扩到 3 个副本"),
    ("tumours", "Leave tumours alone and roll back churn."),
    ("tumours", "Leave the tumours service as it is and roll back churn."),
    ("ranking", "Do not stop ranking. Watch churn for 5 minutes."),
    ("/home/bob/secret.csv", "Train on data/a.csv, never open /home/bob/secret.csv"),
    ("data/old.csv", "Train on data/a.csv and do not use data/old.csv."),
    ("data/b.csv", "Train on data/a.csv; do not read data/b.csv, data/c.csv or data/d.csv."),
    ("data/d.csv", "Train on data/a.csv; do not read data/b.csv, data/c.csv or data/d.csv."),
    ("data/secret.csv", "用 data/a.csv 训练，不要读取 data/secret.csv"),
    ("data/secret.csv", "用 data/a.csv 训练，data/secret.csv 不要打开"),
    ("data/bob.csv", "Train on data/a.csv. data/bob.csv belongs to Bob and must not be opened."),
    ("data/bob.csv", "Train on data/a.csv; data/bob.csv is off limits."),
    ("churn:v2", "Deploy churn as churn, never churn:v2"),
    ("ranking:v2", "Roll back ranking but not to v2"),
    ("ranking:v2", "回滚 ranking，但不要回到 v2"),
    ("churn:v4", "Evaluate churn:v3, not churn:v4"),
    ("data/old.csv", "禁止使用 data/old.csv，用 data/a.csv 训练"),
    ("data/old.csv", "Avoid data/old.csv"),
    ("python wipe.py", "Under no circumstances run python wipe.py"),
    ("wipe.py", "wipe.py is dangerous: do not run it"),
    ("wipe.py", "wipe.py 很危险，不要运行它"),
    ("churn", "I don't want you to touch churn"),
)
_NOT_RULED_OUT = (
    ("churn", "Don't scale tumours, scale churn to 3 replicas"),
    ("churn", "不要动 tumours 服务，把 churn 服务扩到 3 个副本"),
    ("churn", "Leave tumours alone and roll back churn."),
    ("churn", "Do not stop ranking. Watch churn for 5 minutes."),
    ("churn", "Do not scale churn to more than 3 replicas"),
    ("churn", "do not scale churn beyond 5 replicas"),
    ("churn", "do not let p95 of churn exceed 100 ms"),
    ("churn", "don't forget to roll back churn"),
    ("churn", "别忘了回滚 churn"),
    ("churn", "Roll out churn:v2 on churn without downtime"),
    ("churn", "churn 的副本不超过 5 个"),
    ("churn", "churn 的可用性不低于 99%"),
    ("churn", "不要让 churn 的 p95 超过 100 ms"),
    ("churn", "不要停止监控 churn"),
    ("churn", "Do not deploy churn unless p95 is under 100 ms"),
    ("churn", "Do not deploy churn before accuracy is 0.9"),
    ("churn", "除非准确率到 0.9，churn 不上线"),
    ("churn", "Scale churn to 3, do not restart churn"),
    ("churn", "Deploy churn, which must not be stopped"),
    ("churn", "监控 churn，不能停机"),
    ("churn", "do not stop watching churn"),
    ("churn", "do not use bagging on churn"),
    ("churn", "Do not touch ranking and churn gets 3 replicas"),
    ("data/a.csv", "The label is not in data/a.csv, join data/b.csv"),
    ("data/a.csv", "Train on data/a.csv, data/bob.csv must not be opened"),
    ("data/a.csv", "never data/old.csv, data/a.csv instead"),
    ("churn:v3", "Evaluate churn:v3, not churn:v4"),
    ("data/a.csv", "Don't change data/a.csv, train on it"),
    ("data/a.csv", "data/a.csv must not be overwritten"),
    ("churn", "make sure churn never stops"),
    ("churn", "churn must not be slower than 100 ms"),
    ("churn", "不要在周五之前部署 churn"),
    ("absent", "Do not open data/a.csv"),
    ("", "Do not open data/a.csv"),
    ("churn", "I do not know whether or not churn is slow"),
)


@pytest.mark.parametrize(("name", "text"), _RULED_OUT)
def test_a_name_under_a_forbidden_action_is_ruled_out(name: str, text: str) -> None:
    assert ruled_out(name, text)


@pytest.mark.parametrize(("name", "text"), _NOT_RULED_OUT)
def test_a_name_near_a_bound_a_condition_or_care_is_not_ruled_out(name: str, text: str) -> None:
    assert not ruled_out(name, text)


@pytest.mark.parametrize(
    "text",
    [
        "Why is tumours slow? Fix it.",
        "Why is tumours slow? Please repair it.",
        "Find out why churn is slow and fix it",
        "churn does not answer. Can you fix it?",
        "churn is slow, make it fast again",
        "I want you to fix churn",
        "We need it fixed by noon.",
        "Diagnose churn; resolve the problem if you can.",
        "Why is p95 of churn 900 ms? Bring it back to normal.",
        "Bob says it is fine. Fix it.",
        "tumours 为什么慢？修好它",
        "tumours 为什么慢？请修复",
        "churn 不达标请修复",
        "查一下 churn 为什么慢，然后解决掉",
        "帮我修一下 churn",
        "churn 变慢了，恢复正常",
        "Don't just tell me why, fix it",
        "Why is it slow? Fix it, but do not restart it",
    ],
)
def test_it_is_asked_to_mend(text: str) -> None:
    assert asks_to_mend(text)


@pytest.mark.parametrize(
    "text",
    [
        "Why is tumours slow?",
        "Why is tumours slow? Only tell me the cause, I will fix it.",
        "Report the cause.",
        "Why is tumours slow? I will fix it myself.",
        "I will find the cause and fix it, tell me where to look",
        "Tell me why churn is slow, do not fix it",
        "Don't repair anything.",
        "Do not restart or fix churn",
        "How do I fix it?",
        "What would fix it?",
        "Suggest a fix.",
        'Bob wrote: "fix it". Why is churn slow?',
        "Was it fixed?",
        "Fix nothing, tell me the cause.",
        "Let me fix it",
        "Is it fixed?",
        "Someone else will fix it; why is it slow?",
        "Diagnose churn without fixing it",
        "I need to fix churn: what is wrong?",
        "The budget is fixed.",
        "Just tell me why it is slow so that ops can fix it",
        "tumours 为什么慢？只告诉我原因",
        "tumours 为什么慢？我自己修",
        "不要修，查原因",
        "先别修复 churn，查一下原因",
        "怎么修复 churn？",
        "churn 修好了吗？",
        "修改预算",
        "给出解决方案",
        "",
    ],
)
def test_it_is_not_asked_to_mend(text: str) -> None:
    assert not asks_to_mend(text)


def _stated(text: str) -> Contract:
    found = Rules().understand(Goal.of(text, source="cli:tests"), Context(now=1.7e9))
    assert isinstance(found, Contract)
    return found


_TRAINS = "Train a classifier on data/a.csv predicting y. "


@pytest.mark.parametrize(
    "text",
    [
        _TRAINS + "Do not run python wipe.py.",
        _TRAINS + "Don't run `python wipe.py`.",
        _TRAINS + "wipe.py must not be run.",
        _TRAINS + 'Bob wrote: "python wipe.py"',
        _TRAINS + 'The ticket says "make p95 400 ms"',
        _TRAINS + "Bob said we should run python wipe.py.",
        "用 data/a.csv 训练分类器，预测 y。不要运行 python wipe.py",
        "用 data/a.csv 训练分类器，预测 y。工单里写着“python wipe.py”",
    ],
)
def test_a_command_that_is_forbidden_or_somebody_elses_is_no_program(text: str) -> None:
    part = _stated(text).parts[0]
    assert part.train is None
    assert [(d.uri, d.label) for d in part.data] == [("data/a.csv", "y")]
    assert not part.clauses


def test_a_command_is_the_program_where_another_one_is_forbidden() -> None:
    train = _stated(f"{_TRAINS[:-2]} using python train.py. Do not run python wipe.py.").parts[0].train
    assert train is not None
    assert train.value == "python train.py"


def test_a_command_that_is_told_of_somebody_without_quotation_marks_is_asked_about() -> None:
    assert [q.text for q in _stated(_TRAINS + "Bob said we should run python wipe.py.").questions] == [
        "`wipe.py` is what somebody else said; is it to be run?"
    ]


@pytest.mark.parametrize(
    ("text", "task", "target"),
    [
        ("Don't scale tumours, scale churn to 3 replicas", "scale", "churn"),
        ("不要动 tumours 服务，把 churn 服务扩到 3 个副本", "scale", "churn"),
        ("把 churn 扩到 3 个副本，ranking 别动", "scale", "churn"),
        ("Do not touch ranking and scale churn to 3 replicas", "scale", "churn"),
        ("Leave tumours alone and roll back churn.", "rollback", "churn"),
        ("Do not stop ranking. Watch churn for 5 minutes.", "watch", "churn"),
        ("Scale to 3 replicas but do not touch tumours", "scale", None),
    ],
)
def test_a_thing_that_is_to_be_left_alone_is_not_what_is_acted_on(text: str, task: str, target: str | None) -> None:
    part = _stated(text).parts[0]
    assert (part.task, part.target) == (task, target)


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("Deploy churn:v1 as churn, never churn:v2", ("churn:v1",)),
        ("Deploy churn as churn, never churn:v2", ()),
        ("Roll back ranking but not to v2", ()),
        ("回滚 ranking，但不要回到 v2", ()),
        ("Don't roll back to v2, roll back churn to v1", ("churn:v1",)),
        ("Evaluate churn:v3, not churn:v4", ("churn:v3",)),
    ],
)
def test_a_version_that_is_ruled_out_is_no_source(text: str, sources: tuple[str, ...]) -> None:
    assert _stated(text).parts[0].source_models == sources


@pytest.mark.parametrize(
    "behind",
    [
        "Never open /home/bob/secret.csv.",
        "Do not use data/old.csv.",
        "data/bob.csv is private and must not be opened.",
        "不要读取 data/secret.csv",
    ],
)
def test_data_that_is_ruled_out_is_not_entered(behind: str) -> None:
    assert [d.uri for d in _stated(_TRAINS + behind).parts[0].data] == ["data/a.csv"]


def test_where_all_data_is_ruled_out_it_is_asked_for() -> None:
    found = _stated("Train a classifier predicting y, accuracy 0.9. Do not use data/old.csv.")
    assert not found.parts[0].data
    assert "parts.0.data" in {q.field for q in found.questions}


def test_the_negation_of_what_is_ruled_out_reaches_no_further() -> None:
    found = _stated("Use data/new.csv instead of data/old.csv to predict y")
    assert [(d.uri, d.label) for d in found.parts[0].data] == [("data/new.csv", "y")]


def test_a_number_of_servers_is_no_latency() -> None:
    part = _stated("Scale churn: half the replicas if p95 allows, at most 3 servers").parts[0]
    assert (part.clauses, part.rollout.max_replicas) == ((), 3)


@pytest.mark.parametrize("text", ["Why is tumours slow? Fix it.", "tumours 为什么慢？修好它"])
def test_a_diagnosis_that_is_to_mend_is_open(text: str) -> None:
    found = Rules().understand(Goal.of(text, source="cli:tests"), Context(now=1.7e9))
    assert isinstance(found, Open)
    assert [(p.task, p.target) for p in found.contract.parts] == [("diagnose", "tumours")]


@pytest.mark.parametrize(
    "text",
    [
        "Why is tumours slow? Only tell me.",
        "tumours 为什么慢？我自己修",
        "Roll back churn and fix it",
        "Train a classifier on data/a.csv predicting y and fix it",
    ],
)
def test_what_is_only_diagnosed_or_says_what_to_do_is_not_open(text: str) -> None:
    assert _stated(text).parts
