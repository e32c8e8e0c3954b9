"""Small mistakes in a module, made one at a time.

What is changed: comparisons, arithmetic, `and`/`or`, `not`, conditions, numbers, booleans, names without spaces (keys,
settings), answers and marks, `min`/`max`, `any`/`all`, statements and members of tables left out. Not changed: texts
for people, annotations, docstrings, and `raise`.
"""

import ast
import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType

SWAPPED_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
SWAPPED_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SWAPPED_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
SWAPPED_MEMBERS = {
    ("Answer", "PASS"): ("UNKNOWN",),
    ("Answer", "UNKNOWN"): ("PASS", "FAIL"),
    ("Answer", "FAIL"): ("UNKNOWN",),
    ("Mark", "ACKNOWLEDGED"): ("INDETERMINATE",),
    ("Mark", "REJECTED"): ("ACKNOWLEDGED",),
    ("Mark", "MISSED"): ("WRONG",),
    ("Mark", "WRONG"): ("SEEN",),
}


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes:
        line: of the module, from 1.
        what: it is, in a few words.
        lines: of which at least one runs wherever the mistake can be seen.
        statement: the statement of the module that is another one, as code to be run by itself; None if the mistake is
            inside a function or a class.
        code: the module with it, compiled.
    """

    line: int
    what: str
    lines: range
    statement: CodeType | None
    code: CodeType


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Every mistake that can be made in a module."""
    tree = ast.parse(source)
    for place in places(tree):
        for what, other in variants(place.node):
            if place.top and other is None:  # a name of the module that is not there breaks the import: nothing learned
                continue
            place.put(ast.Pass() if other is None else other)
            ast.fix_missing_locations(tree)
            statement = None
            if isinstance(tree.body[place.number], ast.Assign | ast.AnnAssign):
                one = ast.Module([tree.body[place.number]], type_ignores=[])
                statement = compile(one, path, "exec", dont_inherit=True)
            line = getattr(place.node, "lineno", 0)
            yield Mutant(line, what, place.lines, statement, compile(tree, path, "exec", dont_inherit=True))
            place.put(place.node)


Put = Callable[[ast.AST], None]
Variants = Iterator[tuple[str, ast.AST | None]]
"""What it is, and what is put in a node's place; None leaves it out."""


@dataclass(frozen=True)
class Place:
    """A node of a module, how something else is put in its place, and where it stands.

    Attributes:
        lines: of its statement, without the statements inside, and its own.
        number: of the module's statement that it is in.
        top: whether it is that statement.
    """

    node: ast.AST
    put: Put
    lines: range
    number: int
    top: bool


def places(tree: ast.Module) -> Iterator[Place]:
    """Every place below a module, outer ones first."""
    for number, statement in enumerate(list(tree.body)):
        if not _is_text(statement):
            yield Place(
                statement, functools.partial(tree.body.__setitem__, number), _lines(statement), number, top=True
            )
            yield from _inside(statement, _lines(statement), number)


def _inside(parent: ast.AST, lines: range, number: int) -> Iterator[Place]:
    for field, value in ast.iter_fields(parent):
        if _skipped(parent, field):
            continue
        if isinstance(value, ast.AST):
            yield from _place(value, functools.partial(setattr, parent, field), lines, number)
        elif isinstance(value, list):
            for at, one in enumerate(list(value)):
                if isinstance(one, ast.AST) and not _is_text(one):
                    yield from _place(one, functools.partial(value.__setitem__, at), lines, number)


def _place(node: ast.AST, put: Put, lines: range, number: int) -> Iterator[Place]:
    around = _lines(node) if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case) else lines
    own = range(getattr(node, "lineno", around.start), getattr(node, "end_lineno", around.start) + 1)
    seen = around if isinstance(node, ast.stmt) else range(min(around.start, own.start), max(around.stop, own.stop))
    yield Place(node, put, seen, number, top=False)
    yield from _inside(node, around, number)


def _lines(node: ast.AST) -> range:
    """The lines of a statement without those of the statements inside."""
    if isinstance(node, ast.match_case):
        return range(node.pattern.lineno, node.body[0].lineno + 1)
    assert isinstance(node, ast.stmt | ast.ExceptHandler)  # noqa: S101 - nothing else is asked for
    inner: list[ast.AST] = getattr(node, "body", None) or getattr(node, "cases", [])
    first = min((_first(one) for one in inner), default=0)
    end = max(node.lineno + 1, first) if inner else (node.end_lineno or node.lineno) + 1
    return range(node.lineno, end)


def _first(node: ast.AST) -> int:
    return node.pattern.lineno if isinstance(node, ast.match_case) else int(getattr(node, "lineno", 0))


def _skipped(node: ast.AST, field: str) -> bool:
    """What is for people or for type checkers, and imports."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.JoinedStr):
        return True
    return field in {"annotation", "returns", "decorator_list"}


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def variants(node: ast.AST) -> Variants:
    """Every mistake that can be made at a node."""
    yield from _operators(node)
    yield from _conditions(node)
    yield from _values(node)
    yield from _omissions(node)


def _operators(node: ast.AST) -> Variants:
    """Other comparisons and arithmetic."""
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                changed = copy.deepcopy(node)
                changed.ops[place] = SWAPPED_COMPARISONS[type(op)]()
                yield f"{type(op).__name__} → {type(changed.ops[place]).__name__}", changed
        case ast.BinOp(op=op) if type(op) in SWAPPED_OPERATORS:
            other = SWAPPED_OPERATORS[type(op)]()
            yield f"{type(op).__name__} → {type(other).__name__}", ast.BinOp(node.left, other, node.right)
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=operand):
            yield f"without {type(node.op).__name__}", operand


def _conditions(node: ast.AST) -> Variants:
    """Conditions without a term, with `and` for `or`, or not asked at all."""
    match node:
        case ast.BoolOp(values=terms):
            for place in range(len(terms)):
                rest = [term for number, term in enumerate(terms) if number != place]
                yield f"without term {place + 1}", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield f"{type(node.op).__name__} → {type(other).__name__}", ast.BoolOp(other, terms)
        case ast.IfExp():
            yield "always the first", node.body
            yield "always the second", node.orelse
        case ast.If(test=test):
            for value in (True, False):
                changed = copy.copy(node)
                changed.test = ast.copy_location(ast.Constant(value), test)
                yield f"if {value}", changed


def _values(node: ast.AST) -> Variants:
    """Other numbers, keys, answers and marks."""
    match node:
        case ast.Constant(value=bool() as value):
            yield f"{value} → {not value}", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield f"{value} → {value + 1}", ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if " " not in value and len(value) > 1:
            yield f"{value!r} → 'XX…'", ast.Constant("XX" + value)
        case ast.Name(id=name) if name in SWAPPED_NAMES:
            yield f"{name} → {SWAPPED_NAMES[name]}", ast.Name(SWAPPED_NAMES[name], node.ctx)
        case ast.Attribute(value=ast.Name(id=owner), attr=member):
            swapped = (SWAPPED_NAMES[member],) if member in SWAPPED_NAMES else SWAPPED_MEMBERS.get((owner, member), ())
            for other in swapped:
                yield f"{member} → {other}", ast.Attribute(node.value, other, node.ctx)


def _omissions(node: ast.AST) -> Variants:
    """Without a statement, or without a member of a table."""
    match node:
        case ast.Tuple(elts=members, ctx=ast.Load()) | ast.List(elts=members) | ast.Set(elts=members):
            for place in range(len(members) if len(members) > 1 else 0):
                shorter = copy.copy(node)
                shorter.elts = [one for number, one in enumerate(members) if number != place]
                yield f"without member {place + 1}", shorter
        case ast.Assign() | ast.AugAssign() | ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield "left out", None
        case ast.Continue():
            yield "continue → break", ast.Break()
