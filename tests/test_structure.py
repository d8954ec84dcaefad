"""The limits of the code: no circle of imports, no name with two meanings, nothing too long to hold in the head."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import ssd_cli

ROOT = Path(ssd_cli.__file__).parent
MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 300, 60, 8
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}
PRIVATE = re.compile(r"_(?!replace$|asdict$|exit$)[a-zA-Z]\w*")  # these are public: of named tuples and of os
MODULES = {
    ".".join(["ssd_cli", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): tree
    for path, tree in TREES.items()
}


def imported(tree):
    """Modules of the package that a file imports when it runs, also inside functions; not those for type checkers alone."""
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for child in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if inside in MODULES else node.module


def circles(graph):
    """The strongly connected components of more than one node (Tarjan 1972)."""
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for target in graph[node]:
            if target not in number:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], number[target])
        if low[node] == number[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in graph:
        if node not in number:
            visit(node)
    return found


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_files_import_each_other_in_a_circle():
    graph = {name: {target for target in imported(tree) if target in MODULES and target != name} for name, tree in MODULES.items()}
    assert circles(graph) == []


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for name, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(name)
    # The classifiers for aeon and for sktime have the same names on purpose: a user imports one or the other.
    pair = ["ssd_cli.estimators.aeon", "ssd_cli.estimators.sktime"]
    assert {name: where for name, where in places.items() if len(where) > 1 and where != pair} == {}


def is_command(module, function):
    """Whether a function is a command, whose parameters are options of the user's."""
    return module.startswith("ssd_cli.cli.") and not function.name.startswith("_")


def test_no_file_is_long():
    assert {
        str(path.relative_to(ROOT)): lines
        for path in TREES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    } == {}


def test_no_function_is_long():
    assert {
        f"{name}:{node.name}": lines
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not is_command(name, node)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_FUNCTION_LINES
    } == {}


def test_no_function_has_many_parameters():
    wrong = {}
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "__init__" and not is_command(name, node):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                number = len([one for one in arguments if one.arg not in ("self", "cls")])
                if number > MOST_PARAMETERS:
                    wrong[f"{name}:{node.name}"] = number
    assert wrong == {}


def test_tests_use_public_names_only():
    wrong = []
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                names = [node.attr]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ssd_cli"):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr") and len(node.args) > 1:
                names = [node.args[1].value] if isinstance(node.args[1], ast.Constant) else []
            else:
                continue
            wrong += [f"{path.name}, line {node.lineno}: {name}" for name in names if PRIVATE.fullmatch(str(name))]
    assert wrong == []
