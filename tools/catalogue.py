"""Every tool there is, listed by hand."""

from __future__ import annotations

from tools.compute import list_offers
from tools.data import prepare_data, profile_data
from tools.deploy import deploy_model, inspect_endpoint
from tools.evaluate import evaluate_model
from tools.monitor import monitor_endpoint
from tools.register import find_model, register_model
from tools.tool import Tool
from tools.traffic import extend_lease, release_resource, rollback_endpoint, shift_traffic, withdraw_version
from tools.train import launch_training, select_model, tune_model

TOOLS: tuple[Tool, ...] = (
    profile_data,
    list_offers,
    inspect_endpoint,
    find_model,
    prepare_data,
    tune_model,
    launch_training,
    select_model,
    evaluate_model,
    register_model,
    deploy_model,
    shift_traffic,
    monitor_endpoint,
    rollback_endpoint,
    extend_lease,
    withdraw_version,
    release_resource,
)

BY_NAME: dict[str, Tool] = {tool.name: tool for tool in TOOLS}
