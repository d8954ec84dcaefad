import numpy as np
import pytest

from ssd_cli.errors import MisuseError
from ssd_cli.leaderboard import figures
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.drawing import looks
from ssd_cli.leaderboard.figures import draw, write_figures
from ssd_cli.store.results import ResultStore
from tests.leaderboard.builders import compared, put

ALL = ("cost", "differences", "matrix", "scatter")
LONG = "ssd[representations=10,dropout_sites=embed+mid,student_init=random,guidance=label,kl_weight=0.25]"


@pytest.fixture
def many(tmp_path):
    rng, store = np.random.default_rng(0), ResultStore(tmp_path)
    for d in range(4):
        for m, name in enumerate(["single", LONG, "$x_1$", *(f"method-{i}" for i in range(17))]):
            networks = 1 + m % 3
            costs = {"macs": 1e6 * networks * (d + 1), "fit_seconds_alone": 10.0 * networks + m, "fit_seconds_spent": 1.0}
            put(store, f"D{d}", name, 0.6 + 0.002 * m + rng.normal(0, 0.01), 1000, costs=costs)
    return compare([tmp_path])


def overlapping(boxes):
    return [(i, j) for i, box in enumerate(boxes) for j, other in enumerate(boxes) if i < j and box.overlaps(other)]


def test_the_numbers_of_twenty_methods_overlap_nowhere(many):
    figure = draw("cost", many)
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        labels = [text for text in axes.texts if text.get_gid() == "number"]
        assert sorted(int(label.get_text()) for label in labels) == list(range(1, 21))
        assert overlapping([label.get_window_extent(renderer).padded(-2) for label in labels]) == []
        ticks = [label for label in axes.get_xticklabels() if label.get_text()]
        assert overlapping([label.get_window_extent(renderer) for label in ticks]) == []
    legend = [text.get_window_extent(renderer) for text in figure.texts]
    assert overlapping(legend) == []
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0 for box in legend)


def test_method_labels_of_the_boxes_stay_apart_and_inside(many):
    figure = draw("differences", many)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert len(boxes) == 19  # single is what they are compared with
    assert overlapping(boxes) == []
    assert all(box.x0 >= 0 for box in boxes)


def test_the_scatter_has_a_panel_for_every_other_method(many):
    figure = draw("scatter", many)
    panels = figure.axes
    assert len(panels) == 19
    assert panels[0].collections[0].get_offsets().tolist() == many.scores[:, [1, 0]].tolist()


def test_names_and_titles_of_the_scatter_overlap_nowhere(many):
    figure = draw("scatter", many)
    figure.canvas.draw()  # titles and labels move to their places
    renderer = figure.canvas.get_renderer()
    texts = [text for axes in figure.axes for text in (axes.title, axes.xaxis.label)] + list(figure.texts)
    boxes = [text.get_window_extent(renderer) for text in texts]
    assert overlapping(boxes) == []
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0 and box.y1 <= figure.bbox.height for box in boxes)


def test_the_matrix_has_a_cell_for_every_ordered_pair_and_its_texts_overlap_nowhere(many):
    figure = draw("matrix", many)
    renderer, texts = figure.canvas.get_renderer(), figure.axes[0].texts
    by_kind = {kind: [text for text in texts if text.get_gid() == kind] for kind in ("row", "column", "cell", "note")}
    assert [len(by_kind[kind]) for kind in ("row", "column", "cell")] == [20, 20, 380]
    boxes = [text.get_window_extent(renderer) for text in texts]
    assert overlapping(boxes) == []
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0 and box.y1 <= figure.bbox.height for box in boxes)
    difference, counts, p = by_kind["cell"][0].get_text().split("\n")
    assert difference == f"{(many.scores[:, 0] - many.scores[:, 1]).mean():+.4f}"
    assert counts == "/".join(str(part[0, 1]) for part in many.contests)
    assert p == f"p {many.tests.adjusted[0, 1]:.3f}".replace("0.", ".")
    bold = [text.get_fontweight() == "bold" for text in by_kind["cell"]]
    assert bold == many.tests.different[~np.eye(20, dtype=bool)].tolist()


def test_the_matrix_draws_a_dash_where_two_methods_have_no_common_dataset(tmp_path):
    figure = draw("matrix", compared(tmp_path, {"a": [0.9, None, 0.5], "b": [None, 0.7, None], "c": [0.8, 0.6, 0.4]}, "worst-rank"))
    cells = [text.get_text() for text in figure.axes[0].texts if text.get_gid() == "cell"]
    assert cells.count("–") == 2


def test_looks_differ_and_do_not_depend_on_the_ranking():
    names = [f"m{i}" for i in range(40)]
    assert len(set(looks(names).values())) == 40
    assert looks(names) == looks(names[::-1])


def test_all_formats_are_written_and_the_same_each_time(tmp_path, many):
    first = {path.name: path.read_bytes() for path in write_figures(many, tmp_path / "one", ("svg", "png", "pdf"), ALL)}
    assert set(first) == {f"{name}.{form}" for name in ALL for form in ("svg", "png", "pdf")}
    assert first["cost.pdf"].startswith(b"%PDF")
    second = {path.name: path.read_bytes() for path in write_figures(many, tmp_path / "two", ("svg", "pdf"), ALL)}
    assert all(first[name] == content for name, content in second.items())


def test_no_costs_no_figure_of_costs_and_unknown_formats_are_misuse(tmp_path):
    found = compared(tmp_path, {"a": [0.5, 0.6], "b": [0.7, 0.8]})
    assert draw("cost", found) is None
    with pytest.raises(MisuseError, match="jpg"):
        write_figures(found, tmp_path / "out", ("jpg",))


def test_a_figure_is_one_new_file(tmp_path, monkeypatch):
    (tmp_path / "best.py").write_text(
        "from ssd_cli.leaderboard.drawing import blank\n\n\ndef draw(comparison):\n    figure = blank(2, 1)\n"
        "    figure.text(0.1, 0.5, comparison.names[0])\n    return figure\n"
    )
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path)])
    assert figures.names() == sorted([*ALL, "cd", "best"])
    found = compared(tmp_path / "cells", {"a": [0.5, 0.6], "b": [0.7, 0.8]})
    (written,) = write_figures(found, tmp_path / "out", ("svg",), ("best",))
    assert written.name == "best.svg" and written.stat().st_size > 0
