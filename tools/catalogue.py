"""Every tool there is, listed by hand."""

from __future__ import annotations

from tools.bring import bring_model
from tools.compute import list_offers, list_resources, quote_cost
from tools.data import prepare_data, profile_data
from tools.deploy import deploy_model, inspect_endpoint
from tools.drift import read_drift
from tools.evaluate import evaluate_model
from tools.evidence import read_evaluation
from tools.mirror import mirror_traffic
from tools.monitor import monitor_endpoint, read_traffic
from tools.register import find_model, register_model
from tools.rollback import rollback_endpoint
from tools.scale import scale_endpoint
from tools.tool import Tool
from tools.traffic import extend_lease, release_resource, shift_traffic, withdraw_version
from tools.train import launch_training, select_model, tune_model

TOOLS: tuple[Tool, ...] = (
    profile_data,
    list_offers,
    list_resources,
    quote_cost,
    inspect_endpoint,
    find_model,
    bring_model,
    prepare_data,
    tune_model,
    launch_training,
    select_model,
    evaluate_model,
    read_evaluation,
    register_model,
    deploy_model,
    shift_traffic,
    mirror_traffic,
    scale_endpoint,
    monitor_endpoint,
    read_traffic,
    read_drift,
    rollback_endpoint,
    extend_lease,
    withdraw_version,
    release_resource,
)

BY_NAME: dict[str, Tool] = {tool.name: tool for tool in TOOLS}
