import pytest

from ssd_cli.backbones.base import Dropout
from ssd_cli.methods.ssd import SSD
from ssd_cli.methods.ssd_variants import SSDLegacy, SSDMid, SSDSmall
from ssd_cli.methods.student_guided import StudentGuided
from ssd_cli.training.predict import freeze
from tests.small import EXACT, fingerprint, workbench


def test_a_narrow_student_learns_through_a_map_that_is_not_deployed():
    bench = workbench()
    predictor = SSDSmall().fit(bench.training_set, bench)
    assert (predictor.networks[0].embedding_size, predictor.teacher.embedding_size) == (4, 6)
    assert StudentGuided(freeze(bench.base_network()), SSDSmall().parameters, bench, 6).trainable is None  # same size, no map
    objective = StudentGuided(freeze(bench.base_network()), SSDSmall().parameters, bench, 4)
    assert objective.trainable.weight.shape == (6, 4)
    assert objective.trainable.bias is None


def test_the_legacy_student_is_in_eval_mode_from_the_second_epoch_on():
    modes = []

    class Spy(StudentGuided):
        def losses(self, network, batch):
            modes.append(network.training)
            return super().losses(network, batch)

    bench = workbench()
    teacher = freeze(bench.base_network(dropout=Dropout(0.2)))
    for settings in (SSDLegacy(), SSD()):
        student = bench.copy(teacher)
        bench.train(student, Spy(teacher, settings.parameters, bench, student.embedding_size), epochs=2)
    assert modes == [True] * 3 + [False] * 3 + [True] * 6


@pytest.mark.parametrize(("stop", "epochs"), [("recipe", 4), ("last", 4), ("early25", 1), ("early50", 2), ("early75", 3)])
def test_the_teacher_stops_where_it_is_told(stop, epochs):
    bench = workbench()
    SSD(teacher_stop=stop).fit(bench.training_set, bench)
    assert [(entry.label, entry.epochs) for entry in bench.ledger.entries] == [("member 0", epochs), ("student", 2)]


def test_the_student_of_mid_dropout_is_deployed_with_statistics_of_the_deterministic_pass():
    bench = workbench(recipe=EXACT)
    predictor = SSDMid().fit(bench.training_set, bench)
    student = predictor.networks[0]
    refreshed = bench.refresh_batch_norm(bench.copy(student))
    assert fingerprint(refreshed) == fingerprint(student)
    assert fingerprint(predictor.teacher) == fingerprint(bench.refresh_batch_norm(bench.base_network(dropout=SSDMid().rates)))


def test_deploying_leaves_the_network_alone():
    bench = workbench()
    teacher = bench.base_network(dropout=SSDMid().rates)
    before = fingerprint(teacher)
    assert fingerprint(SSDMid().deploy(teacher, bench)) != before == fingerprint(teacher)


def test_a_random_student_does_not_start_where_its_teacher_started():
    bench = workbench()
    student = SSD(student_init="random").untrained_student(bench.base_network(), bench)
    assert fingerprint(student) == fingerprint(bench.fresh(1)) != fingerprint(bench.fresh(0))
