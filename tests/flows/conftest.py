"""The one option of these tests: `pytest tests/flows/test_golden_runs.py --record` writes the golden runs anew."""

from __future__ import annotations

import pytest
from postgres_server import database, postgres

__all__ = ["database", "postgres"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write golden runs anew; the diff is the review")
