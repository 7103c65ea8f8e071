"""What a user's program says of itself: shown as far as it can be read, and never a crash."""

from __future__ import annotations

import json
import math

import pytest

from tools.record import Json
from tools.train import readable_claims


@pytest.mark.parametrize("value", [math.nan, math.inf, [1.0, {"deep": -math.inf}]])
def test_what_is_no_number_becomes_a_finding(value: object) -> None:
    kept, findings = readable_claims({"loss": value, "f1": 0.9})
    assert kept == {"f1": 0.9}
    assert len(findings) == 1
    assert "'loss', which is no number" in findings[0]


@pytest.mark.parametrize("claim", [{"acc\x1b[2J": 1}, {"\u202eycarucca": 1}, {"note": ["ok\u200b"]}])
def test_what_nobody_could_see_is_left_out_and_said(claim: Json) -> None:
    kept, findings = readable_claims({**claim, "f1": 0.9})
    assert kept == {"f1": 0.9}
    assert len(findings) == 1
    assert "characters that cannot be seen" in findings[0]
    assert findings[0].isprintable()


def test_plain_claims_are_kept_as_they_are() -> None:
    claims: Json = {"f1": 1, "note": "好", "more": {"a": [1, None, True]}}
    assert readable_claims(claims) == (claims, ())
    json.dumps(claims, allow_nan=False)


def test_findings_are_bounded() -> None:
    kept, findings = readable_claims({f"{'x' * 500}{i}": math.nan for i in range(500)})
    assert kept == {}
    assert len(findings) == 20
    assert max(map(len, findings)) < 200
