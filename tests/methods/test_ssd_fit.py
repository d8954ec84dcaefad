import pytest
import torch

from ssd_cli.backbones.base import Dropout
from ssd_cli.methods.dropout import FeatKD, Finetune
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


def test_the_legacy_student_freezes_with_the_statistics_of_the_training_set():
    bench, seen = workbench(recipe=EXACT), []

    class Spy(StudentGuided):
        def begin_epoch(self, epoch, modules):
            if epoch == 2:
                seen.append((bench.copy(modules), modules))
            super().begin_epoch(epoch, modules)

    teacher = freeze(bench.base_network(dropout=Dropout(0.2)))
    student = bench.fresh(1, Dropout(0.2))
    bench.train(student, Spy(teacher, SSDLegacy().parameters, bench, student.embedding_size), epochs=4)
    (before, _), (x, _) = seen[0], bench.tensors(bench.training_set)
    with torch.no_grad():
        maps = before.first[0](x)  # the first norm's input at the end of epoch 1, all cases in one batch
    norm = before.first[1]
    torch.testing.assert_close(student.first[1].running_mean, maps.mean((0, 2)), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(student.first[1].running_var, maps.transpose(0, 1).flatten(1).var(1), rtol=1e-9, atol=1e-12)
    assert not torch.allclose(norm.running_mean, maps.mean((0, 2)), rtol=1e-3)  # three steps do not estimate them


def test_the_legacy_student_has_the_epochs_of_its_teacher():
    bench = workbench()
    SSDLegacy().fit(bench.training_set, bench)
    assert [entry.epochs for entry in bench.ledger.entries] == [4, 4]


@pytest.mark.parametrize("method", [SSD(student_share=0.5), Finetune(student_share=0.75), FeatKD(student_share=1), SSDSmall()])
def test_a_student_has_its_share_of_the_epochs_of_its_teacher(method):
    bench = workbench()
    method.fit(bench.training_set, bench)
    epochs = {0.5: 2, 0.75: 3, 1: 4, None: 2}[method.student_share]  # without a share the recipe's two
    assert [entry.epochs for entry in bench.ledger.entries] == [4, epochs]


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
