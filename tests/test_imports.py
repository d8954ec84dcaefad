import ast
from pathlib import Path

import ssd_cli

ROOT = Path(ssd_cli.__file__).parent

# What each room may import of the others; the bottom (errors, registry, configuration) is open to all.
ALLOWED = {
    "": {"estimators"},
    "archives": set(),
    "protocol": {"archives"},
    "backbones": set(),
    "engine": {"backbones"},
    "training": {"backbones", "engine", "protocol.containers"},
    "methods": {"training", "backbones", "engine", "protocol.containers"},
    "testing": {"archives", "protocol", "methods", "training", "backbones", "engine"},
    "costs": {"methods", "training", "backbones", "engine", "protocol.containers"},
    "estimators": {"archives", "protocol", "backbones", "engine", "training", "methods"},
    "deployment": {"archives", "protocol", "backbones", "engine", "training", "methods", "costs", "store"},
    "statistics": set(),
    "store": {"statistics"},
    "leaderboard": {"archives", "store", "statistics"},
    "running": {"archives", "protocol", "backbones", "engine", "training", "methods", "costs", "store", "statistics"},
    "cli": {
        "archives",
        "protocol",
        "backbones",
        "engine",
        "training",
        "methods",
        "costs",
        "store",
        "statistics",
        "leaderboard",
        "running",
        "deployment",
    },
}
WITHOUT_TORCH = {"statistics", "store", "leaderboard", "archives"}
LIGHT_AT_THE_TOP = {"cli", "running", "store", "leaderboard", "archives", "statistics"}
HEAVY = {"torch", "aeon", "sktime", "matplotlib", "sklearn"}


def imports(tree):
    """(module, at top level) of every import of a file."""
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in top


def files():
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0] if len(path.relative_to(ROOT).parts) > 1 else ""
        room = "cli" if path.name == "__main__.py" else room
        yield path, room, ast.parse(path.read_text())


def test_nothing_walks_back():
    wrong = []
    for path, room, tree in files():
        for module, _ in imports(tree):
            parts = module.split(".")
            if parts[0] != "ssd_cli" or len(parts) == 1 or parts[1] not in ALLOWED or parts[1] == room:
                continue
            target = ".".join(parts[1:])
            if not any(target == allowed or target.startswith(allowed + ".") for allowed in ALLOWED.get(room, set())):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_heavy_libraries_are_not_imported_where_they_cost_start_up_time():
    wrong = []
    for path, room, tree in files():
        for module, at_top in imports(tree):
            library = module.split(".")[0]
            if (library == "torch" and room in WITHOUT_TORCH) or (library in HEAVY and at_top and room in LIGHT_AT_THE_TOP | {""}):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_no_file_is_long():
    assert {str(path): n for path, _, _ in files() if (n := len(path.read_text().splitlines())) > 350} == {}
