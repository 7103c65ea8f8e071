"""Several tables of one goal are judged together: labels and keys may lie in any of them."""

from __future__ import annotations

from pathlib import Path

from given import contract, offer, part

from agent.contract import Data, Join, Part, Prepare
from agent.survey import DataFacts, survey
from tools.compute import Offers
from tools.errors import NotFound
from tools.recipes.faults import Fault
from tools.recipes.probe_records import Probe, ProbeArgs, ProbedColumn
from tools.record import Json

COLUMNS = {
    "/data/orders.csv": ("order", "who", "day"),
    "/data/people.csv": ("who", "city", "churned"),
    "/data/held.csv": ("order", "who"),
    "/data/empty.csv": (),
}


class Reads:
    """Answers the survey's reads from a table of columns; remembers what was asked of each source."""

    def __init__(self) -> None:
        self.asked: dict[str, ProbeArgs] = {}

    def __call__(self, tool: str, args: Json) -> Json:
        if tool == "list_offers":
            return Offers(offers=(offer(),)).model_dump(mode="json")
        if tool != "profile_data":
            raise NotFound(tool)
        asked = ProbeArgs.model_validate(args)
        self.asked[asked.source] = asked
        names = COLUMNS[asked.source]
        columns = tuple(ProbedColumn(name=n, kind="category", missing=0, distinct=9) for n in names)
        faults = () if names else (Fault(place="empty.csv", problem="is empty", fix="write rows"),)
        return Probe(source=asked.source, format="csv", columns=columns, faults=faults).model_dump(mode="json")


ORDERS, PEOPLE = Data(uri="orders.csv", label="churned"), Data(uri="people.csv")


def wanted(
    *data: Data, joins: tuple[Join, ...] = (), drop: tuple[str, ...] = (), name: str = "model", **more: object
) -> Part:
    changed = {"data": data, "prepare": Prepare(join=joins, drop_columns=drop), "name": name}
    return part().model_copy(update=changed | more)


def looked(*parts: Part, read: Reads | None = None) -> dict[str, DataFacts]:
    return dict(survey(contract(*parts), read=read or Reads(), folder=Path("/data"), at=0.0).data)


def faults(facts: DataFacts) -> list[str]:
    assert facts.profile is not None
    return [str(f) for f in facts.profile.faults]


WHO = Join(left="orders.csv", right="people.csv", on=("who",))


def test_a_label_in_the_second_table_is_fine() -> None:
    read = Reads()
    seen = looked(wanted(ORDERS, PEOPLE, joins=(WHO,)), read=read)
    assert [faults(f) for f in seen.values()] == [[], []]
    assert all(asked.together and asked.label == "churned" for asked in read.asked.values())


def test_names_that_are_in_no_table_suggest_their_neighbours() -> None:
    keys = Join(left="orders.csv", right="people.csv", on=("whom",))
    data = (Data(uri="orders.csv", label="chrned", time="days"), PEOPLE)
    told = faults(looked(wanted(*data, joins=(keys,), drop=("citi",)))["orders.csv"])
    assert sum("'whom' is no column of" in f for f in told) == 2
    for says in ("'churned'", "'day'", "'city'"):
        assert any(f"did you mean {says}" in f for f in told)
    assert len(told) == 5


def test_a_table_that_is_never_joined_is_a_fault_unless_it_is_the_holdout() -> None:
    told = faults(looked(wanted(ORDERS, PEOPLE))["orders.csv"])
    assert any("table people.csv: is never joined" in f and "both have 'who'" in f for f in told)
    held = Data(uri="held.csv", role="holdout")
    told = faults(looked(wanted(Data(uri="orders.csv", label="order"), held))["orders.csv"])
    assert told == ["held.csv: lacks column 'day'; the names are 'order', 'who'"]


def test_a_formula_that_reads_a_column_that_is_not_there_is_a_fault_before_anything_starts() -> None:
    formulas = {"rate": "mean(prediction == 1)", "late": "mean(dayz > 3) + sum(city_people == label)"}
    one = wanted(ORDERS).model_copy(update={"metrics": formulas})
    told = faults(looked(one)["orders.csv"])
    assert len([f for f in told if "formula" in f]) == 2, told
    assert any("metric late, formula: there is no column 'dayz'; did you mean 'day'?" in f for f in told)
    both = wanted(ORDERS, PEOPLE, joins=(WHO,)).model_copy(update={"metrics": {"x": formulas["late"]}})
    assert len([f for f in faults(looked(both)["orders.csv"]) if "formula" in f]) == 1, "of a table that is joined"


def test_one_table_is_judged_by_the_probe_alone() -> None:
    read = Reads()
    assert faults(looked(wanted(ORDERS), read=read)["orders.csv"]) == []
    assert not read.asked["/data/orders.csv"].together


def test_a_table_that_cannot_be_read_is_not_judged_together() -> None:
    empty = Data(uri="empty.csv")
    seen = looked(wanted(ORDERS, empty, joins=(Join(left="orders.csv", right="empty.csv", on=("who",)),)))
    assert faults(seen["orders.csv"]) == []
    assert faults(seen["empty.csv"]) == ["empty.csv: is empty; write rows"]


def test_faults_of_every_part_that_names_a_table_are_kept() -> None:
    lone = wanted(ORDERS, PEOPLE, name="first")
    fine = wanted(ORDERS, PEOPLE, joins=(WHO,), name="second")
    assert any("never joined" in f for f in faults(looked(lone, fine)["orders.csv"]))


def test_few_rows_are_enough_to_evaluate_a_model() -> None:
    read = Reads()
    looked(wanted(ORDERS, task="evaluate", source_models=("./model",)), read=read)
    assert read.asked["/data/orders.csv"].role == "holdout"
