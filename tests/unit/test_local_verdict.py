"""Why a program ended, what it is called, and which keys and names are allowed: rules without any file."""

from __future__ import annotations

import signal

import pytest

from tools.backends.local.compute import LocalCompute
from tools.backends.local.job_records import Status, job_id
from tools.backends.local.objects import checked
from tools.backends.local.verdict import EVIDENCE, Ending, verdict
from tools.errors import Invalid, Refused
from tools.ports import Tags


def cause_of(*lines: str, status: int | None = 256, stopped: str | None = None, kills: int = 0) -> str:
    return verdict(Ending(status=status, stopped=stopped, limit_s=5.0, memory_kills=kills, lines=lines)).cause


def test_what_the_supervisor_did_itself_is_the_cause_whatever_the_program_says() -> None:
    assert cause_of("MemoryError", stopped="time", status=signal.SIGTERM) == "timeout"
    assert cause_of("MemoryError", stopped="lease", status=None) == "timeout"


def test_a_kill_is_want_of_memory_only_where_the_kernel_counted_one() -> None:
    assert cause_of(status=signal.SIGKILL, kills=1) == "out_of_memory_host"
    assert cause_of(status=signal.SIGKILL) == "unknown"
    assert cause_of(status=137 << 8, kills=1) == "out_of_memory_host"


def test_processes_that_vanish_are_a_lost_node() -> None:
    assert cause_of(status=None) == "node_lost"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB", "out_of_memory_host"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "out_of_memory_host"),
        ("OSError: [Errno 28] No space left on device: 'model.bin'", "disk_full"),
        ("ModuleNotFoundError: No module named 'torch'", "missing_dependency"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "out_of_memory_device"),
        ("RuntimeError: NCCL error in: ProcessGroupNCCL.cpp", "nccl"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'train.csv'", "data_missing"),
        ("ZeroDivisionError: division by zero", "user_code_error"),
    ],
)
def test_the_last_words_tell_the_cause(line: str, cause: str) -> None:
    assert cause_of("Traceback (most recent call last):", '  File "train.py", line 1', line, "") == cause


def test_an_earlier_warning_does_not_win_over_the_last_word() -> None:
    assert cause_of("ImportError: no fast kernels, going on", "MemoryError") == "out_of_memory_host"


def test_a_word_in_the_middle_of_a_line_is_no_cause() -> None:
    assert cause_of("ValueError: caught ImportError: once") == "user_code_error"


def test_evidence_is_bounded() -> None:
    lines = ["x" * 10_000] * 500
    found = verdict(Ending(status=256, stopped=None, limit_s=5.0, memory_kills=0, lines=lines))
    assert len(found.evidence) == EVIDENCE
    assert max(map(len, (found.message, *found.evidence))) <= 600


def test_another_call_has_another_job_id_however_alike_they_are() -> None:
    calls = [
        "r1/train/1",
        "r1/train-1",
        "r1-train/1",
        "R1/train/1",
        "r1/train/1 ",
        "日/train/1",
        "../../etc",
        "a" * 500,
    ]
    ids = [job_id(call) for call in calls]
    assert len(set(ids)) == len(calls)
    assert all(len(each) <= 80 and "/" not in each and not each.startswith((".", "-")) for each in ids)
    assert ids == [job_id(call) for call in calls]


@pytest.mark.parametrize("key", ["", "/a", "a/../b", "..", "./a", "a//b", "a/", "a\\b", "a\0", ".work/x", "a/.keys"])
def test_a_key_that_could_lead_elsewhere_is_refused(key: str) -> None:
    with pytest.raises(Invalid):
        checked(key)


def test_a_plain_key_is_itself() -> None:
    assert checked("jobs/r1-train/model v2.onnx") == "jobs/r1-train/model v2.onnx"


def test_a_failure_of_the_wrong_shape_is_still_a_failure() -> None:
    status = Status(phase="failed", started=1.0, ended=2.0, failure={"cause": "witchcraft"})
    state = status.state("job")
    assert state.failure is not None
    assert state.failure.cause == "unknown"


def test_this_machine_is_a_standing_offer_and_nothing_more_can_be_had() -> None:
    (offer,) = LocalCompute(usd_micro_per_hour=None).offers()
    assert (offer.standing, offer.usd_micro_per_hour) == (True, None)
    assert offer.cpus >= 1
    assert offer.memory_gb > 0
    with pytest.raises(Refused, match="standing offer"):
        LocalCompute().provision(offer="local", tags=Tags(run="r", call="c", owner="o", lease_until=1.0))
