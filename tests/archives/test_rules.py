"""A rule of preparation is one class in one file; options, suites, identities and estimators know it, and export refuses it."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ssd_cli
from ssd_cli.archives.prepare import Preparation
from ssd_cli.archives.rules import imputation_rules, length_rules, scaling_rules
from ssd_cli.errors import MisuseError, SsdBenchError

SOURCES = {
    scaling_rules: """
from ssd_cli.archives.rules import scaling_rules
from ssd_cli.archives.rules.scaling import ScalingRule

@scaling_rules.register("doubled")
class Doubled(ScalingRule):
    '''Twice the values.'''

    def apply(self, series):
        return 2 * series
""",
    length_rules: """
from ssd_cli.archives.rules import length_rules
from ssd_cli.archives.rules.length import LengthRule

@length_rules.register("first")
class First(LengthRule):
    '''The first step only.'''

    @staticmethod
    def common(lengths):
        return 1
""",
    imputation_rules: """
from ssd_cli.archives.rules import imputation_rules
from ssd_cli.archives.rules.imputation import ImputationRule

@imputation_rules.register("seven")
class Seven(ImputationRule):
    '''The number 7.'''

    def replace(self, values, gaps):
        return 7.0
""",
}
NAMES = {scaling_rules: "doubled", length_rules: "first", imputation_rules: "seven"}
EXPECTED = {scaling_rules: [2.0, 4.0, 6.0], length_rules: [1.0], imputation_rules: [1.0, 7.0, 3.0]}


@pytest.fixture(params=list(SOURCES), ids=lambda rules: rules.option)
def planted(request, tmp_path):
    """Add a file with a rule to a registry; return both the registry and the name."""
    file = tmp_path / "planted.py"
    file.write_text(SOURCES[request.param])
    assert request.param.add_plugin(file) == [NAMES[request.param]]
    yield request.param, NAMES[request.param]
    request.param.forget(NAMES[request.param])


def test_a_planted_rule_prepares(planted):
    rules, name = planted
    training = [np.array([[1.0, 2.0, 3.0]])]
    series = np.array([[1.0, np.nan, 3.0]]) if rules is imputation_rules else training[0]
    X = Preparation(**{"scale": "none", rules.option: name}).fit(training).transform([series])
    np.testing.assert_array_equal(X, [[EXPECTED[rules]]])


def test_suite_identity_and_estimator_take_a_planted_rule(planted):
    from ssd_cli.estimators.aeon import MethodClassifier
    from ssd_cli.running.plan import make_plan
    from ssd_cli.running.suite import Suite

    rules, name = planted
    suite = Suite(dataset=("GunPoint",), method=("single",), **{rules.option: name})
    (cell,) = make_plan(suite, dry_run=True).cells
    assert cell.spec.preparation[rules.option] == name
    X = np.random.default_rng(0).standard_normal((4, 1, 20))
    fitted = MethodClassifier(backbone="lite[width=2]", recipe="smoke", **{rules.option: name}).fit(X, np.array(list("abab")))
    assert fitted.predict_proba(X).shape == (4, 2)


def test_export_refuses_a_planted_rule(planted):
    from ssd_cli.deployment.graph import DeployedPredictor

    rules, name = planted
    preparation = Preparation(**{rules.option: name}).fit([np.ones((1, 3)), np.ones((1, 4))])
    with pytest.raises(SsdBenchError, match=f"{rules.option}={name} cannot be exported") as caught:
        DeployedPredictor(preparation, [])
    assert name not in caught.value.expected


@pytest.mark.parametrize("rules", list(SOURCES), ids=lambda rules: rules.option)
def test_an_unknown_rule_is_refused(rules):
    from ssd_cli.running.suite import Suite

    for use in (lambda: Preparation(**{rules.option: "nothing"}), lambda: rules.get("nothing")):
        with pytest.raises(MisuseError, match=f"{rules.option} cannot be 'nothing'") as caught:
            use()
        assert all(name in caught.value.expected for name in rules.names())
    with pytest.raises(MisuseError, match=f"--{rules.option} cannot be 'nothing'"):
        Suite(dataset=("GunPoint",), method=("single",), **{rules.option: "nothing"})


def test_the_command_names_rules_and_formats_that_are_files_in_their_folders(tmp_path):
    package = Path(ssd_cli.__file__).parent
    shutil.copytree(package, tmp_path / "ssd_cli", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "ssd_cli" / "archives" / "rules" / "planted.py").write_text(SOURCES[scaling_rules])
    (tmp_path / "ssd_cli" / "archives" / "formats" / "rows.py").touch()

    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "ssd_cli", *arguments], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
        )

    assert "doubled" in command("run", "--help").stdout
    assert "|rows]" in command("predict", "--help").stdout
    refused = command("run", "--dataset", "GunPoint", "--method", "single", "--scale", "halved")
    assert refused.returncode == 2 and "Expected one of doubled, series, train, none." in refused.stderr
