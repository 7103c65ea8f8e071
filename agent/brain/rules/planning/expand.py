"""Which function turns each tool into the steps of one part. One line a tool."""

from __future__ import annotations

from collections.abc import Callable

from agent.brain.rules.planning import existing, serving, strategies, training
from agent.brain.rules.planning.draft import Draft

EXPAND: dict[str, Callable[[Draft], tuple[str, ...]]] = {
    "prepare_data": training.prepare,
    "tune_model": training.tune,
    "launch_training": training.launch,
    "select_model": training.select,
    "evaluate_model": training.evaluate,
    "register_model": serving.register,
    "find_model": existing.find,
    "quote_cost": existing.quote,
    "deploy_model": serving.deploy,
    "shift_traffic": strategies.shift,
    "monitor_endpoint": serving.live,
    "extend_lease": serving.keep,
    "withdraw_version": serving.withdraw,
}
