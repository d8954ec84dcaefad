import subprocess
import sys

import pytest

from ssd_cli.errors import MisuseError
from ssd_cli.registry import LISTED, Registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a registry of its own, one entry of which cannot be imported."""
    root = tmp_path / "zoo"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "cage.py").write_text("from ssd_cli.registry import Registry\nanimals = Registry('animal', 'zoo')\n")
    (root / "lion.py").write_text(
        "from zoo.cage import animals\nfrom dataclasses import dataclass\n"
        "@animals.register('lion')\n@dataclass(frozen=True)\nclass Lion:\n    '''Roars.\n\n    Loudly.'''\n    teeth: int = 30\n"
    )
    (root / "ghost.py").write_text(
        "import nothing_of_that_name\n@animals.register('ghost')\nclass Ghost:\n    '''Cannot be seen.'''\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield root
    for name in [name for name in sys.modules if name.split(".")[0] == "zoo"]:
        del sys.modules[name]


def test_names_and_summaries_are_listed_without_importing(package):
    registry = Registry("animal", "zoo")
    assert [(entry.name, entry.summary) for entry in registry.entries()] == [("ghost", "Cannot be seen."), ("lion", "Roars.")]
    assert "zoo.lion" not in sys.modules


def test_get_imports_the_class(package):
    from zoo.cage import animals

    assert animals.get("lion")().teeth == 30


def test_unknown_name_suggests_the_nearest(package):
    with pytest.raises(MisuseError, match=r"Unknown animal 'loin'\. Did you mean 'lion'"):
        Registry("animal", "zoo").get("loin")


def test_plugin_is_added_with_its_digest(package, tmp_path):
    from zoo.cage import animals

    plugin = tmp_path / "tiger.py"
    plugin.write_text("from zoo.cage import animals\n@animals.register('tiger')\nclass Tiger:\n    '''Stripes.'''\n")
    assert animals.add_plugin(plugin) == ["tiger"]
    assert len(animals.entry("tiger").plugin_sha256) == 64
    assert animals.entry("lion").plugin_sha256 == ""
    assert animals.get("tiger").__doc__ == "Stripes."


def test_a_name_cannot_be_taken_twice(package, tmp_path):
    from zoo.cage import animals

    plugin = tmp_path / "other.py"
    plugin.write_text("from zoo.cage import animals\n@animals.register('lion')\nclass Lion:\n    '''Not the first.'''\n")
    with pytest.raises(MisuseError, match="Two animals are called 'lion'"):
        animals.add_plugin(plugin)


def test_a_plugin_with_a_syntax_error_names_file_and_line(package, tmp_path):
    from zoo.cage import animals

    plugin = tmp_path / "broken.py"
    plugin.write_text("x = 1\nclass :\n")
    with pytest.raises(MisuseError, match=r"broken\.py, line 2"):
        animals.add_plugin(plugin)


def test_listing_the_real_registries_does_not_import_torch():
    code = (
        "import sys\nfrom ssd_cli.methods import methods\nfrom ssd_cli.backbones import backbones\n"
        "from ssd_cli.training import recipes\n"
        "assert 'ssd' in methods.names() and 'lite' in backbones.names() and 'fast' in recipes.names()\n"
        "assert 'torch' not in sys.modules and 'aeon' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_kinds_that_ls_lists_are_looked_up_with_ls():
    from ssd_cli.backbones import backbones
    from ssd_cli.cli.ls import What
    from ssd_cli.core.executions import convolutions
    from ssd_cli.methods import methods
    from ssd_cli.running.executors.base import executors
    from ssd_cli.training import recipes

    assert {f"{kind}s" for kind in LISTED} <= {what.value for what in What}
    for registry in (methods, backbones, recipes, executors, convolutions):
        with pytest.raises(MisuseError, match=f"Unknown {registry.kind} 'nothing'") as caught:
            registry.entry("nothing")
        listed = registry in (methods, backbones, recipes)
        assert caught.value.remedy.startswith(f"See: ssd-bench ls {registry.kind}s." if listed else ""), registry.kind
        assert ("ssd-bench ls" in caught.value.remedy) == listed


def test_names_without_parsing_are_the_names_of_the_entries():
    from ssd_cli.archives.rules import imputation_rules, length_rules, scaling_rules
    from ssd_cli.backbones import backbones
    from ssd_cli.core.executions import convolutions
    from ssd_cli.methods import methods
    from ssd_cli.running.executors.base import executors
    from ssd_cli.training import recipes

    for known in (backbones, convolutions, executors, imputation_rules, length_rules, methods, recipes, scaling_rules):
        fresh = type(known).__new__(type(known))
        fresh.__dict__.update(known.__dict__ | {"_entries": None})
        assert fresh.names() == [entry.name for entry in known.entries() if not entry.plugin_sha256]
