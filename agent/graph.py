"""The loop as a graph: advance until a decision is due, then revise, wait, or finish.

The graph carries the agent's decisions, not the plan's steps. It keeps no checkpoint: an activation
starts from the fold of the journal, and the journal is what survives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph

from agent.advance import Wait, World, advance
from agent.state import Decided

Next = Literal["revise", "finish", "wait"]


class Activation(TypedDict, total=False):
    """What passes between the nodes of one activation."""

    decision: Decided | Wait


def activate(world: World, *, revise: Callable[[Decided], None], finish: Callable[[Decided], None]) -> Decided | Wait:
    """One pass over a run, from a wake-up until it waits or has ended."""

    def node_advance(state: Activation) -> Activation:
        del state
        return {"decision": advance(world)}

    def node_revise(state: Activation) -> Activation:
        revise(_decided(state))
        return {}

    def node_finish(state: Activation) -> Activation:
        finish(_decided(state))
        return {}

    graph = StateGraph(Activation)
    graph.add_node("advance", node_advance)
    graph.add_node("revise", node_revise)
    graph.add_node("finish", node_finish)
    graph.add_edge(START, "advance")
    graph.add_conditional_edges("advance", _next, {"revise": "revise", "finish": "finish", "wait": END})
    graph.add_edge("revise", "advance")
    graph.add_edge("finish", END)
    result = graph.compile().invoke({}, {"recursion_limit": 200})
    decision: Decided | Wait = result["decision"]
    return decision


def _next(state: Activation) -> Next:
    decision = state["decision"]
    if isinstance(decision, Wait):
        return "wait"
    return "revise" if decision.action == "revise" else "finish"


def _decided(state: Activation) -> Decided:
    decision = state["decision"]
    assert isinstance(decision, Decided)
    return decision
