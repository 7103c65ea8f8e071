"""Whether what a call builds on was made: keys, digests, versions and measured fields must be those of this run's own
results, or of what the survey saw. A plan that makes them up builds on nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.judged.proposed import UNKNOWN, Proposed, texts
from tools.record import Json

_TRAIN = ("tune_model", "launch_training")
_FIND = ("find_model", "bring_model")
_PREPARED = ("label", "roles", "classes", "positive")
"""What preparation found of the data, and every later job is told."""


def grounded(asked: Proposed) -> bool:
    """Everything that the call builds on is there. What is not known yet is looked at when it is."""
    return all(check(asked) for check in _CHECKS.get(asked.tool, ()))


def _in(name: str, known: Callable[[Proposed], set[str]]) -> Callable[[Proposed], bool]:
    def check(asked: Proposed) -> bool:
        value = asked.value(name)
        return value is UNKNOWN or value in known(asked)

    return check


def _all_in(name: str, known: Callable[[Proposed], set[str]]) -> Callable[[Proposed], bool]:
    return lambda asked: all(isinstance(item, str) and item in known(asked) for item in asked.items(name))


def _keys(*tools: str) -> Callable[[Proposed], set[str]]:
    return lambda asked: texts(r.get("key") for r in asked.results(*tools))


def _drawn(asked: Proposed) -> set[str]:
    """Data that requests may be drawn from: prepared here, or kept with a model."""
    kept = texts(r.get("data") for r in asked.results("register_model", "find_model"))
    return _keys("prepare_data")(asked) | kept


def _measured(asked: Proposed) -> set[str]:
    """Models that this run has opened the holdout for."""
    calls = asked.run.calls.by("evaluate_model")
    return texts(c.call.args.get("model") for c in calls if c.phase == "done")


def _urls(asked: Proposed) -> set[str]:
    made = asked.results("deploy_model", "scale_endpoint", "extend_lease")
    own = texts(r.get("url") for r in made if r.get("endpoint") == asked.part.endpoint)
    return own | ({asked.state.url} if asked.state is not None else {""})


def _source(asked: Proposed) -> Json | None:
    """The preparation whose data the call is given."""
    key = asked.value("data")
    return next((r for r in asked.results("prepare_data") if r.get("key") == key), None)


def _as_prepared(asked: Proposed) -> bool:
    """The label, and what it can be, are what was found: to change them changes what is measured."""
    if asked.value("data") is UNKNOWN:
        return True
    source = _source(asked)
    given = {name: asked.value(name) for name in _PREPARED}
    return source is not None and all(v is UNKNOWN or _same(v, source.get(name)) for name, v in given.items())


def _same(value: object, found: object) -> bool:
    """Lists and tuples are one; what is empty is what is not said."""
    if isinstance(value, list | tuple) or isinstance(found, list | tuple):
        return list(value or ()) == list(found or ()) if _sized(value) and _sized(found) else False  # type: ignore[call-overload]
    if isinstance(value, Mapping) or isinstance(found, Mapping):
        return _filled(value) == _filled(found)
    return value == found


def _sized(value: object) -> bool:
    return value is None or isinstance(value, list | tuple)


def _filled(value: object) -> object:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value or {}


def _label_of_data(asked: Proposed) -> bool:
    """Requests and registrations name the label of the data they are given."""
    key, label = asked.value("data"), asked.value("label")
    if UNKNOWN in (key, label):
        return True
    results = [r for r in asked.results("prepare_data", "register_model", "find_model")]
    return any(r.get("label") == label for r in results if key in (r.get("key"), r.get("data")))


def _candidates(asked: Proposed) -> bool:
    """What is chosen from is what was trained, as it came out."""
    made = list(asked.results(*_TRAIN))
    return all(item in made for item in asked.items("candidates"))


def _registered(asked: Proposed) -> bool:
    """Model, version and digest are of one entry of the registry, as this run wrote or read it."""
    given = {name: asked.value(field) for name, field in _ENTRY}
    entries = asked.results("register_model", "find_model")
    return UNKNOWN in given.values() or any(all(e.get(n) == v for n, v in given.items()) for e in entries)


_ENTRY = (("key", "model"), ("version", "version"), ("digest", "digest"))


def _since(asked: Proposed) -> bool:
    """A watch counts from when the traffic was so, as it was read back."""
    at = asked.value("since")
    made = ("shift_traffic", "mirror_traffic", "scale_endpoint", "rollback_endpoint", "inspect_endpoint")
    return at is UNKNOWN or any(r.get("at") == at for r in asked.results(*made))


_CHECKS: Mapping[str, tuple[Callable[[Proposed], bool], ...]] = {
    "tune_model": (_in("data", _keys("prepare_data")), _as_prepared),
    "launch_training": (_in("data", _keys("prepare_data")),),
    "select_model": (_candidates,),
    "evaluate_model": (
        _in("data", _keys("prepare_data")),
        _in("model", _keys("select_model", *_TRAIN, *_FIND)),
        _all_in("others", _keys(*_FIND)),
        _all_in("rivals", _keys(*_TRAIN)),
        _as_prepared,
    ),
    "read_evaluation": (_in("key", _keys("evaluate_model")),),
    "register_model": (_in("model", _measured), _in("data", _keys("prepare_data")), _label_of_data),
    "deploy_model": (_registered,),
    "monitor_endpoint": (_in("url", _urls), _in("data", _drawn), _label_of_data, _since),
}
