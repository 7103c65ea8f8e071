"""The closed language of `custom:` metrics: `mean(prediction == 1)`. Text in, a checked tree out; nothing is run here.

    formula     = either; its value must be one number
    either      = both { "or" both }
    both        = negation { "and" negation }
    negation    = "not" negation | comparison
    comparison  = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum ]
    sum         = product { ("+" | "-") product }
    product     = sign { ("*" | "/") sign }
    sign        = "-" sign | atom
    atom        = number | "text" | true | false | column | `any column` | function "(" ... ")" | "(" either ")"

A column is a value for every row: `prediction`, `label`, `score` (or `probability`: of the positive class), and every
column of the holdout by its name. `mean sum count min max median std quantile share` make one number of the rows;
`abs log exp sqrt` stay with them. What a formula is worth is computed in `formula_values`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from tools.language import tr
from tools.recipes.faults import Fault, near, refuse
from tools.recipes.formulas.tree import (
    AGGREGATES,
    COMPARISONS,
    FUNCTIONS,
    Binary,
    Call,
    Column,
    Flag,
    Formula,
    Node,
    Number,
    Text,
    Unary,
    is_flag,
    is_text,
    per_row,
)
from tools.recipes.formulas.words import KEYWORDS, Token, place, tokens

LENGTH_MOST = 1000
WORDS_MOST = 200
DEPTH_MOST = 40


def parse(text: str) -> Formula:
    """The formula. BadInput with every fault, each with the character where it is and the way out."""
    if not text.strip():
        refuse([Fault(place="formula", problem=tr("is empty"), fix=tr('write one, such as "mean(prediction == 1)"'))])
    if len(text) > LENGTH_MOST:
        problem = tr("has {n} characters", n=len(text))
        refuse([Fault(place="formula", problem=problem, fix=tr("use at most {most}", most=LENGTH_MOST))])
    faults: list[Fault] = []
    words = tokens(text, faults)
    if len(words) > WORDS_MOST:
        problem = tr("has {n} words", n=len(words))
        refuse([Fault(place="formula", problem=problem, fix=tr("use at most {most}", most=WORDS_MOST))])
    parser = _Parser(words, faults)
    root = parser.whole()
    refuse(sorted(faults, key=_character))
    return Formula(text=text, root=root)


def _character(fault: Fault) -> int:
    tail = fault.place.rpartition(" ")[2]
    return int(tail) if tail.isdigit() else 0


class _Broken(Exception):
    """The text stops being a formula here; the fault is noted."""


class _Parser:
    """Recursive descent. What is wrong with a part that can be read is noted and reading goes on."""

    def __init__(self, words: list[Token], faults: list[Fault]) -> None:
        self._words = words
        self._faults = faults
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        try:
            root = self._either()
            if self._at.kind != "end":
                self._broken(
                    tr("{text!r} is not expected here", text=self._at.text), tr("put an operator or a comma before it")
                )
        except _Broken:
            return Number(value=0.0)
        if not self._faults:
            self._check_whole(root)
        return root

    def _check_whole(self, root: Node) -> None:
        if per_row(root):
            problem = tr("has a value for every row")
            self._fault(self._words[0], problem, tr("put it into mean(...), share(...) or another summary"))
        elif is_flag(root) or is_text(root):
            self._fault(self._words[0], tr("is no number"), tr("leave the comparison to the clause"))

    @property
    def _at(self) -> Token:
        return self._words[self._next]

    def _take(self) -> Token:
        token = self._at
        self._next += token.kind != "end"
        return token

    def _sees(self, *signs: str) -> bool:
        return self._at.kind in ("sign", "name") and self._at.text in signs

    def _fault(self, token: Token, problem: str, fix: str) -> None:
        self._faults.append(Fault(place=place(token.at), problem=problem, fix=fix))

    def _broken(self, problem: str, fix: str) -> NoReturn:
        # After a character that is no word the rest may only seem wrong.
        if not self._faults:
            self._fault(self._at, problem, fix)
        raise _Broken

    def _either(self) -> Node:
        return self._logical(self._both, "or")

    def _both(self) -> Node:
        return self._logical(self._negation, "and")

    def _logical(self, operand: Callable[[], Node], word: str) -> Node:
        start = self._at
        left = operand()
        while self._sees(word):
            self._take()
            begins = self._at
            right = operand()
            for token, side in ((start, left), (begins, right)):
                self._wants_flag(token, side, word)
            left = Binary(operator=word, left=left, right=right)
        return left

    def _negation(self) -> Node:
        if not self._sees("not"):
            return self._comparison()
        self._deeper()
        self._take()
        token = self._at
        inner = self._negation()
        self._depth -= 1
        self._wants_flag(token, inner, "not")
        return Unary(operator="not", inner=inner)

    def _comparison(self) -> Node:
        left = self._sum()
        if not self._sees(*COMPARISONS):
            return left
        operator = self._take().text
        right = self._sum()
        if self._sees(*COMPARISONS):
            self._broken(tr("a second comparison in a row"), tr("write `a < b and b < c`"))
        return Binary(operator=operator, left=left, right=right)

    def _sum(self) -> Node:
        return self._arithmetic(self._product, ("+", "-"))

    def _product(self) -> Node:
        return self._arithmetic(self._sign, ("*", "/"))

    def _arithmetic(self, operand: Callable[[], Node], signs: tuple[str, ...]) -> Node:
        start = self._at
        left = operand()
        while self._sees(*signs):
            operator = self._take().text
            begins = self._at
            right = operand()
            for token, side in ((start, left), (begins, right)):
                self._wants_number(token, side, operator)
            left = Binary(operator=operator, left=left, right=right)
        return left

    def _sign(self) -> Node:
        if not self._sees("-"):
            return self._atom()
        self._deeper()
        self._take()
        token = self._at
        inner = self._sign()
        self._depth -= 1
        self._wants_number(token, inner, "-")
        return Unary(operator="-", inner=inner)

    def _atom(self) -> Node:
        token = self._at
        match token.kind:
            case "number":
                self._take()
                return Number(value=float(token.text))
            case "text":
                self._take()
                return Text(value=token.text)
            case "quoted":
                self._take()
                return Column(name=token.text)
            case "name" if token.text in ("true", "false"):
                self._take()
                return Flag(value=token.text == "true")
            case "name" if token.text not in KEYWORDS:
                self._take()
                return self._call(token) if self._sees("(") else Column(name=token.text)
            case "sign" if token.text == "(":
                return self._parenthesis()
        seen = tr("the formula ends") if token.kind == "end" else tr("{text!r} stands", text=token.text)
        return self._broken(
            tr("{seen} where a value is expected", seen=seen), tr("write a number, a column or a function")
        )

    def _parenthesis(self) -> Node:
        self._take()
        self._deeper()
        inner = self._either()
        self._depth -= 1
        self._close()
        return inner

    def _call(self, name: Token) -> Node:
        self._take()
        self._deeper()
        arguments: list[Node] = []
        while not self._sees(")"):
            if arguments:
                if not self._sees(","):
                    break
                self._take()
            arguments.append(self._either())
        self._depth -= 1
        self._close()
        self._check_call(name, arguments)
        return Call(function=name.text, arguments=tuple(arguments))

    def _close(self) -> None:
        if not self._sees(")"):
            self._broken(tr("a parenthesis is not closed"), tr("write `)`"))
        self._take()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MOST:
            self._broken(tr("is nested too deeply"), tr("use at most {most} levels", most=DEPTH_MOST))

    def _check_call(self, name: Token, arguments: list[Node]) -> None:
        known = AGGREGATES.get(name.text, (1,) if name.text in FUNCTIONS else ())
        if not known:
            self._fault(
                name, tr("there is no function {text!r}", text=name.text), near(name.text, (*AGGREGATES, *FUNCTIONS))
            )
        elif len(arguments) not in known:
            wanted = tr(" or ").join(str(n) for n in known)
            self._fault(
                name,
                tr("{text} has {n} arguments", text=name.text, n=len(arguments)),
                tr("give {wanted}", wanted=wanted),
            )
        elif arguments:
            self._check_argument(name, arguments)

    def _check_argument(self, name: Token, arguments: list[Node]) -> None:
        first = arguments[0]
        if name.text != "count":
            self._wants_number(name, first, name.text)
        if name.text in AGGREGATES and not per_row(first):
            problem = tr("{text} summarises rows, and this is one value already", text=name.text)
            self._fault(name, problem, tr("name a column in it, or leave the function out"))
        if name.text == "share":
            self._wants_flag(name, first, "share")
        if name.text == "quantile":
            at = arguments[1]
            if not isinstance(at, Number) or not 0 <= at.value <= 1:
                self._fault(
                    name, tr("the second argument of quantile is no number from 0 to 1"), tr("write 0.5 for a median")
                )

    def _wants_number(self, token: Token, node: Node, by: str) -> None:
        if is_text(node):
            self._fault(token, tr("{by} cannot count with a text", by=by), tr("compare it with == or != first"))

    def _wants_flag(self, token: Token, node: Node, by: str) -> None:
        if not is_flag(node) and not isinstance(node, Column):
            self._fault(token, tr("{by} wants yes or no", by=by), tr("compare it with something, such as == 1"))
