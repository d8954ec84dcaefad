from dataclasses import dataclass

import typer
from typer.testing import CliRunner

from ssd_cli.cli.options import with_options
from ssd_cli.core.options import option
from ssd_cli.running import suite


@dataclass(frozen=True)
class Extended(suite.Suite):
    repeats: int = option(1, "How often: {choices}.", choices=lambda: (1, 2))
    tag: tuple[str, ...] = option((), "A tag; repeatable.")
    folds: suite.Numbers = option((0,), "Folds.")
    limit: float = option(1.0, "A limit.")


def test_a_new_field_of_the_suite_is_an_option_a_key_of_suite_files_and_checked(monkeypatch, tmp_path):
    monkeypatch.setattr(suite, "Suite", Extended)
    app, seen = typer.Typer(), []

    @app.command()
    @with_options(Extended)
    def command(**options):
        seen.append(suite.parse_suite(tmp_path / "suite.yaml", options))

    (tmp_path / "suite.yaml").write_text("dataset: GunPoint\nmethod: single\ntag: [a, b]\nlimit: 2\n")
    result = CliRunner().invoke(app, ["--repeats", "2", "--folds", "3"], catch_exceptions=False)
    assert result.exit_code == 0 and (seen[0].repeats, seen[0].tag) == (2, ("a", "b"))
    assert (seen[0].folds, seen[0].limit) == ((0, 1, 2), 2.0)
    shown = CliRunner().invoke(app, ["--help"]).output
    assert "--repeats" in shown and "--tag" in shown and "1 or 2" in shown
    refused = CliRunner().invoke(app, ["--repeats", "3"])
    assert "--repeats cannot be '3'" in str(refused.exception)
