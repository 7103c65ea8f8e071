"""The loop as a graph: advance until a decision is due, then revise, wait, or finish.

The graph carries the agent's decisions, not the plan's steps. It keeps no checkpoint: an activation
starts from the fold of the journal, and the journal is what survives. It is compiled once a process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph

from agent.advance import Wait, World, advance
from agent.state import Decided

Next = Literal["revise", "finish", "wait"]
LONGEST = 200
"""Nodes of one activation; its decisions are bounded long before."""


class Activation(TypedDict, total=False):
    """What passes between the nodes of one activation."""

    world: World
    revise: Callable[[Decided], None]
    finish: Callable[[Decided], None]
    decision: Decided | Wait


def activate(world: World, *, revise: Callable[[Decided], None], finish: Callable[[Decided], None]) -> Decided | Wait:
    """One pass over a run, from a wake-up until it waits or has ended."""
    result = _graph().invoke({"world": world, "revise": revise, "finish": finish}, {"recursion_limit": LONGEST})
    decision: Decided | Wait = result["decision"]
    return decision


@cache
def _graph() -> Any:
    graph = StateGraph(Activation)
    graph.add_node("advance", _advance)
    graph.add_node("revise", _revise)
    graph.add_node("finish", _finish)
    graph.add_edge(START, "advance")
    graph.add_conditional_edges("advance", _next, {"revise": "revise", "finish": "finish", "wait": END})
    graph.add_edge("revise", "advance")
    graph.add_edge("finish", END)
    return graph.compile()


def _advance(state: Activation) -> Activation:
    return {"decision": advance(state["world"])}


def _revise(state: Activation) -> Activation:
    state["revise"](_decided(state))
    return {}


def _finish(state: Activation) -> Activation:
    state["finish"](_decided(state))
    return {}


def _next(state: Activation) -> Next:
    decision = state["decision"]
    if isinstance(decision, Wait):
        return "wait"
    return "revise" if decision.action == "revise" else "finish"


def _decided(state: Activation) -> Decided:
    decision = state["decision"]
    assert isinstance(decision, Decided)
    return decision
