"""A conversation, turn by turn: goals, corrections, changes, answers, questions; and what has no effect by itself."""

from __future__ import annotations

import json

import pytest
from chatting import ASKING, GOAL, Chat
from fake_session import FakeWorld


def test_a_goal_is_shown_and_starts_with_a_yes_only() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        shown = chat.say(GOAL)
        assert (shown.kind, shown.posed, world.runs) == ("goal", "start", {})
        assert shown.plan is not None
        begun = chat.say("y")
        chat.rest()
        run = world.runs[begun.run or ""]
        assert run.status == "done"
        assert [d.run.id for d in chat.beside.ends] == [run.id]
        assert any("evaluate: done" in line for line in chat.beside.notices)
        assert not any("running" in line for line in chat.beside.notices)


def test_a_no_starts_nothing_and_forgets_the_goal() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say(GOAL)
        assert chat.say("n").posed == ""
        assert chat.say("y").kind == "aside"
        assert not world.runs


def test_corrections_change_the_goal_before_it_starts_and_keep_what_was_said() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say(GOAL)
        first = chat.say("make it 0.92 instead")
        second = chat.say("spend at most $20")
        assert [str(c) for c in first.changes] == ["demand: accuracy >= 0.9 on holdout → accuracy >= 0.92 on holdout"]
        assert [c.loosens for c in second.changes] == ["more may be spent than before"]
        assert second.plan is not None
        assert second.plan.goal.text == f"{GOAL}\nmake it 0.92 instead\nspend at most $20"
        assert second.plan.contract is not None
        assert (second.plan.contract.budget_usd, second.plan.contract.parts[0].clauses[0].value) == (20, 0.92)
        chat.say("y")
        request = world.runs[chat.talk.run or ""].request
        assert request.said == (GOAL, "make it 0.92 instead")
        assert request.before is not None


def test_a_correction_that_could_mean_two_things_is_asked_about_and_changes_nothing() -> None:
    with Chat(FakeWorld()) as chat:
        chat.say(GOAL)
        asked = chat.say("make it 20")
        assert (asked.ok, asked.posed) == (False, "start")
        assert asked.text == ("What is to be 20: latency_p95_ms <= 200 or the budget?",)
        assert chat.say("/plan").plan == chat.talk.shown


def test_a_question_about_what_is_not_started_is_answered_from_its_plan() -> None:
    with Chat(FakeWorld()) as chat:
        chat.say(GOAL)
        told = chat.say("what will it cost?")
        assert told.text[0] == "Not started. It would take 24–35 s and cost $0.01–$0.02."
        assert told.posed == "start"


def test_another_goal_takes_the_place_of_the_one_that_was_not_started() -> None:
    with Chat(FakeWorld()) as chat:
        chat.say(GOAL)
        chat.say("Predict Survived from titanic.csv, accuracy at least 0.8.")
        assert chat.talk.draft is not None
        assert chat.talk.draft.said == ()


def test_a_change_of_a_running_goal_is_shown_and_takes_effect_with_a_yes() -> None:
    world = FakeWorld(loop_at="train_random_forest")
    with Chat(world) as chat:
        chat.say(GOAL)
        run = chat.say("y").run or ""
        chat.reach("train_random_forest")
        asked = chat.say("accuracy at least 0.8 is enough")
        assert (asked.kind, asked.posed) == ("amendment", "amend")
        assert [c.loosens for c in asked.changes] == ["less is demanded than before"]
        assert world.runs[run].contract is None
        assert chat.say("what is it doing?").kind == "question"
        assert chat.talk.standing().posed == "amend"
        chat.say("y")
        chat.rest()
        changed = world.runs[run].contract
        assert changed is not None
        assert changed.parts[0].clauses[0].value == 0.8
        assert "amended" in chat.kinds()


def test_a_change_is_dropped_with_a_no() -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        chat.say(GOAL)
        run = chat.say("y").run or ""
        chat.reach("prepare")
        chat.say("spend at most $20")
        assert chat.say("n").text == ("Nothing was changed.",)
        assert world.runs[run].contract is None


def test_a_change_that_the_run_cannot_take_offers_to_start_anew() -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        chat.say(GOAL)
        run = chat.say("y").run or ""
        chat.reach("prepare")
        asked = chat.say("use iris.csv instead")
        assert asked.posed == "anew"
        assert "the data cannot be changed any more" in asked.text[-1]
        assert world.runs[run].status == "running"
        anew = chat.say("y")
        assert world.runs[run].status == "cancelled"
        assert anew.posed == "start"
        assert anew.plan is not None
        assert anew.plan.contract is not None
        assert anew.plan.contract.parts[0].data[0].uri == "iris.csv"


def test_an_approval_is_asked_at_the_prompt_and_a_yes_answers_exactly_that() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say(ASKING)
        run = chat.say("y").run or ""
        chat.rest()
        at = chat.talk.standing()
        assert (at.posed, at.question) == ("approve", "p1")
        assert chat.beside.questions == ["p1"]
        answered = chat.say("y")
        chat.rest()
        assert world.runs[run].answers == {"deploy": True}
        assert world.runs[run].status == "done"
        assert answered.posed == ""


@pytest.mark.parametrize(
    "line", ["I approve", "approve it", "yes please go on", "approve p1", "y\u200bes, do it", "好的，批准吧"]
)
def test_the_text_of_a_message_is_never_an_approval(line: str) -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say(ASKING)
        run = chat.say("y").run or ""
        chat.rest()
        chat.say(line)
        chat.rest()
        assert world.runs[run].answers == {}


def test_a_yes_that_was_typed_before_the_question_answers_nothing() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say(ASKING)
        before = chat.talk.standing().model_copy(update={"posed": "", "question": ""})
        run = chat.say("y").run or ""
        chat.rest()
        assert chat.talk.turn("y", before).kind == "aside"
        assert world.runs[run].answers == {}


def test_an_approval_is_denied_with_a_no_or_a_command() -> None:
    for line in ("n", "/deny p1", "/deny"):
        world = FakeWorld()
        with Chat(world) as chat:
            chat.say(ASKING)
            run = chat.say("y").run or ""
            chat.rest()
            chat.say(line)
            chat.rest()
            assert world.runs[run].answers == {"deploy": False}


def test_what_others_have_to_answer_is_not_asked_here() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say("ask somebody: " + GOAL)
        chat.say("y")
        chat.rest()
        assert chat.talk.standing().question == "p1"
        told = chat.say("/approve p1.release")
        assert told.ok is False
        assert told.text == ("p1.release waits for bob",)
        chat.talk.answered(chat.talk.run or "", ("p1",))
        assert chat.talk.standing().posed == ""


def test_questions_are_answered_about_runs_of_the_past_too() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say(GOAL)
        first = chat.say("y").run or ""
        chat.rest()
        answer = chat.say("what did it cost?")
        assert answer.text == (f"the run is at step 10 of 10 [{first}#12]",)
        assert chat.say("what does the moon cost?").ok is False
    with Chat(world, name="chat-2") as other:
        assert other.say("what did it cost?").ok is False
        assert other.say(f"/use {first[:12]}").run == first
        assert other.say("what did it cost?").text == answer.text


def test_a_correction_of_a_run_that_is_over_is_a_goal_to_start() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say(GOAL)
        first = chat.say("y").run
        chat.rest()
        again = chat.say("make it 0.92 instead")
        assert (again.kind, again.posed) == ("correction", "start")
        assert chat.say("y").run != first


def test_one_run_is_carried_out_at_a_time() -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        chat.say(GOAL)
        first = chat.say("y").run or ""
        chat.reach("prepare")
        chat.say("Predict Survived from titanic.csv, accuracy at least 0.8.")
        told = chat.say("y")
        assert told.ok is False
        assert first in told.text[0]
        assert told.posed == "start"
        chat.say("/cancel")
        chat.rest()
        assert len(world.runs) == 1


def test_leaving_lets_the_run_go_and_it_goes_on_when_the_conversation_is_taken_up() -> None:
    world = FakeWorld(loop_at="train_random_forest")
    chat = Chat(world)
    chat.say(GOAL)
    run = chat.say("y").run or ""
    chat.reach("train_random_forest")
    assert chat.talk.leave() == run
    assert not chat.talk.driver.busy
    assert world.runs[run].at == 1
    world.loop_at = None
    with Chat(world) as again:
        told = again.take_up()
        assert (told.run, told.posed) == (run, "resume")
        assert f"> {GOAL}" in told.text
        again.say("y")
        again.rest()
        assert world.runs[run].status == "done"
        assert not any("prepare: done" in line for line in again.beside.notices)  # it was told before


def test_a_goal_that_was_not_started_is_there_again() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say(GOAL)
        chat.say("make it 0.92 instead")
    with Chat(world) as again:
        told = again.take_up()
        assert told.posed == "start"
        assert told.plan is not None
        assert told.plan.contract is not None
        assert told.plan.contract.parts[0].clauses[0].value == 0.92
        again.say("/clear")
    with Chat(world) as last:
        assert last.take_up().posed == ""


def test_everything_said_is_in_the_journal_without_secrets() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say("Predict species from penguins.csv, password=hunter2-hunter2-hunter2")
        chat.say("hello\x1b[2J\u202e there")
        chat.say("/status")
        chat.say(GOAL)
        chat.say("make it 0.8 instead")
    lines = world.said["chat-1"]
    told = json.dumps([line.body for line in lines])
    assert "hunter2-hunter2" not in told
    assert [line.body["text"] for line in lines if line.kind == "person"][1:3] == ["hello there", "/status"]
    assert [line.kind for line in lines].count("agent") >= 3
    assert "\\u001b" not in told
    assert "less is demanded than before" in told


def test_a_failure_is_one_answer_and_the_conversation_goes_on() -> None:
    with Chat(FakeWorld()) as chat:
        told = chat.say("contradiction: " + GOAL)
        assert (told.ok, len(told.text)) == (False, 2)
        chat.say("broken: " + GOAL)
        assert chat.say("y").text == ("the store cannot be written: disk full",)
        assert chat.say("/status").ok is False
        assert chat.say("the weather").plan is not None
        assert chat.say(GOAL).posed == "start"


@pytest.mark.parametrize(
    "line",
    [
        "/approve", "/deny x", "/amend", "/amend 0.9", "/cancel", "/resume", "/use", "/use nothing", "/new", "/extend",
        "/extend penguins soon", "/stop", "/stop nothing", "/report", "/events", "/events -1", "/events 99999999999999",
        "/cost", "/plan", "/wait", "/nonsense", "/", "/ status", "//", "", "\ud83d", "x" * 20_000, "?" * 300, "y",
        "0.1 0.2 0.3", "make it " + "9" * 400, "$" * 50,
    ],
)  # fmt: skip
def test_whatever_is_typed_gets_one_clear_answer(line: str) -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        told = chat.say(line)
        assert "defect" not in " ".join(told.text)
        assert told.text or told.plan is not None
        assert not world.runs


def test_commands_are_all_there_and_near_misses_are_named() -> None:
    with Chat(FakeWorld()) as chat:
        listed = "\n".join(chat.say("/help").text)
        for name in ("/status", "/approve", "/extend ENDPOINT [TIME]", "/quit"):
            assert name in listed
        assert "did you mean /status" in chat.say("/statu").text[0]
        chat.say("/quit")
        assert chat.talk.over


def test_an_endpoint_is_ended_by_a_run_of_its_own() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        assert chat.say("/stop penguins").posed == "order"
        assert not world.runs
        run = chat.say("y").run or ""
        chat.rest()
        assert world.runs[run].request.text == "stop penguins"
        asked = chat.say("/extend penguins 2h")
        assert asked.text[-1].endswith("let the endpoint penguins live 2 h longer.")
        assert chat.say("n").text == ("Nothing was changed.",)
        chat.say("/stop penguins")
        assert chat.say(GOAL).posed == "start", "a goal takes the order's place"
        chat.say("n")
        assert chat.say("y").kind == "aside"
        assert len(world.runs) == 1


def _running(chat: Chat, step: str = "prepare") -> str:
    chat.say(GOAL)
    run = chat.say("y").run or ""
    chat.reach(step)
    return run


def test_a_yes_changes_only_the_contract_that_was_shown() -> None:
    """Two conversations on one run: what the other one changed in between is not undone."""
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as first:
        run = _running(first)
        with Chat(world, name="chat-2") as second:
            second.say(f"/use {run}")
            shown = second.say("/amend within 3 hours")
            assert [c.field for c in shown.changes] == ["deadline_s"]
            world.amends_at_once = False
            first.say("/amend budget 1 dollar")
            assert first.say("yes").ok
            again = second.say("yes")
            assert (again.ok, again.posed) == (False, "amend")
            assert "changed in between" in again.text[0]
            assert [c.field for c in again.changes] == ["deadline_s"]
            assert second.say("yes").ok
        contract = world.runs[run].contract
        assert contract is not None
        assert (contract.budget_usd, contract.deadline_s) == (1, 10800)
        world.release(run)


def test_a_yes_to_a_new_goal_changes_no_running_one() -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        run = _running(chat)
        assert chat.say("accuracy at least 0.8 is enough").posed == "amend"
        shown = chat.say("Predict Survived from titanic.csv, accuracy at least 0.8.")
        assert shown.posed == "start"
        assert shown.text[0].startswith("What was proposed is dropped")
        chat.say("yes")
        assert world.runs[run].contract is None


def test_a_proposal_does_not_outlive_its_run() -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        run = _running(chat)
        assert chat.say("accuracy at least 0.8 is enough").posed == "amend"
        at = chat.talk.standing()
        assert "What was proposed is dropped" in chat.say("/cancel").text[0]
        assert chat.talk.standing().posed == ""
        told = chat.talk.turn("yes", at)
        assert (told.ok, told.text) == (False, ("Nothing was changed: what was proposed is dropped.",))
        assert world.runs[run].contract is None


def test_a_proposal_does_not_outlive_a_run_that_another_one_ends() -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        run = _running(chat)
        chat.say("accuracy at least 0.8 is enough")
        world.runs[run].status = "cancelled"
        chat.rest()
        assert chat.talk.proposal is None
        assert any("What was proposed is dropped" in line for line in chat.beside.notices)


def test_a_change_that_its_owner_does_not_take_is_told() -> None:
    world = FakeWorld(loop_at="prepare", ignores="a later one has come")
    with Chat(world) as chat:
        run = _running(chat)
        chat.say("accuracy at least 0.8 is enough")
        chat.say("y")
        said = f"The goal of run {run} was not changed: a later one has come"
        told = [*chat.say("/status").text]
        world.runs[run].status = "cancelled"
        chat.rest()
        assert [*told, *chat.beside.notices].count(said) == 1


@pytest.mark.parametrize("line", ["accuracy 1.5", "/amend accuracy 1.5"])
def test_what_is_impossible_is_refused_and_offers_nothing(line: str) -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        _running(chat)
        told = chat.say(line)
        assert (told.ok, told.posed) == (False, "")
        assert "is impossible" in " ".join(told.text)


@pytest.mark.parametrize(
    "line", ["accuracy 0.95", "准确率 0.95", "budget 7 dollars", "budget 2 dollars", "only logistic regression",
             "99 trials", "no budget"],
)  # fmt: skip
def test_a_few_words_that_say_what_is_to_be_are_a_change(line: str) -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        chat.say(GOAL)
        assert chat.say(line).kind == "correction"
        chat.say("y")
        chat.reach("prepare")
        told = chat.say(line)
        assert told.kind == "amendment"


@pytest.mark.parametrize(
    "line", ["why is it refused?", "why did it fail?", "explain the verdict", "why didnt you use a GPU?",
             "why did you choose logistic regression?"],
)  # fmt: skip
def test_a_question_about_what_the_tool_does_is_no_goal(line: str) -> None:
    with Chat(FakeWorld()) as chat:
        for goal in (GOAL, "what is the weather, predict it"):
            chat.say(goal)
            draft = chat.talk.draft
            told = chat.say(line)
            assert told.kind == "question"
            assert told.text[0].startswith("Not started")
            assert chat.talk.draft == draft
        assert any("the weather is not ours" in text for text in told.text)


def test_a_deadline_that_has_passed_is_warned_of() -> None:
    world = FakeWorld(loop_at="train_random_forest")
    with Chat(world) as chat:
        _running(chat, "train_random_forest")
        told = chat.say("deadline 1 second")
        assert told.posed == "amend"
        assert "with that deadline it ends at once" in " ".join(told.text)
        assert "with that deadline" not in " ".join(chat.say("within 3 hours").text)


def test_a_look_at_the_holdout_is_told_of_demands_on_it_only() -> None:
    world = FakeWorld(loop_at="deploy")
    with Chat(world) as chat:
        _running(chat, "deploy")
        assert "The holdout was looked at" in " ".join(chat.say("accuracy at least 0.8 is enough").text)
        assert "The holdout" not in " ".join(chat.say("p95 latency under 300 ms").text)


def test_a_command_that_does_not_exist_is_not_repeated_at_length() -> None:
    with Chat(FakeWorld()) as chat:
        (line,) = chat.say("/" + "x" * 500).text
        assert len(line) < 70
        assert "…" in line


def test_a_conversation_in_chinese_is_answered_in_chinese() -> None:
    world = FakeWorld()
    with Chat(world) as chat:
        chat.say("用 penguins.csv 预测物种，准确率不低于百分之九十。")
        told = chat.say("改成 0.85")
        assert [c.loosens for c in told.changes] == ["要求比之前低"]
        assert chat.say("n").text == ("已放弃：没有开始或更改任何内容。",)


def test_a_proposal_does_not_outlive_a_question_that_comes_later() -> None:
    world = FakeWorld(loop_at="prepare")
    with Chat(world) as chat:
        chat.say(ASKING)
        run = chat.say("y").run or ""
        chat.reach("prepare")
        assert chat.say("accuracy at least 0.8 is enough").posed == "amend"
        at = chat.talk.standing()
        world.loop_at = None
        chat.rest()
        assert chat.talk.standing().posed == "approve"
        assert chat.talk.turn("y", at).ok is False
        assert (world.runs[run].answers, world.runs[run].contract) == ({}, None)
