"""Distillation: the divergence against densities known otherwise, a student that learns, and what is refused."""

import numpy as np
import pytest
import torch

from hepflows import flows, training
from hepflows.errors import InputError
from hepflows.flows.bins import UNIT_SLOPE
from hepflows.training import checkpoint as checkpoints
from hepflows.training.circles import blocks_of, divergence, student_way, teacher_way


def bent_teacher(seed=0, **changes):
    """A teacher in three dimensions with random weights, standardisation and one condition."""
    torch.manual_seed(seed)
    arguments = dict(features=3, context=1, transforms=2, hidden=(24, 24), permutation="random") | changes
    flow = flows.autoregressive_flow(**arguments)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    flow.standardise_from(torch.randn(500, 3) * torch.tensor([1.0, 4.0, 0.3]) + 2, torch.randn(500, 1))
    return flow.eval()


def data(teacher, number=3000):
    generator = torch.Generator().manual_seed(1)
    context = torch.randn(number, 1, generator=generator)
    return teacher.sample(1, context, generator=generator)[:, 0], context


def test_untrained_student_has_the_teachers_frame():
    teacher = bent_teacher()
    student = training.student_of(teacher)
    x, context = data(teacher, 50)
    assert student.recipe == ("inverse_autoregressive_flow", teacher.recipe[1])
    torch.testing.assert_close(student.layers[0].mean, teacher.layers[0].mean)
    torch.testing.assert_close(student._embedding_net(context), teacher._embedding_net(context))
    assert len(blocks_of(teacher, student)) == 3


def test_untrained_student_nearly_inverts_splines_that_depend_on_nothing():
    teacher = bent_teacher(transforms=1, hidden=(8,))
    with torch.no_grad():
        teacher.layers[1].network.output.weight.zero_()
        slopes = teacher.layers[1].network.output.bias[2 * 8 * 3 :]
        slopes.fill_(UNIT_SLOPE)  # only there are mirrored slopes exact
    student = training.student_of(teacher)
    x, context = data(teacher, 100)
    # Between the knots the inverse of a rational-quadratic spline is not one.
    found, expected = student.transform_to_noise(x, context), teacher.transform_to_noise(x, context)
    assert (found - expected).abs().max() < 0.02
    assert (expected - teacher.layers[0](x)[0]).abs().max() > 0.2


def test_divergence_is_that_of_the_flows_own_densities():
    teacher, other = bent_teacher(), bent_teacher(seed=5)
    student = training.student_of(teacher)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    teacher, student = teacher.double(), student.double()
    noise, context = torch.randn(400, 3, dtype=torch.float64), torch.randn(400, 1, dtype=torch.float64)
    embedded = teacher._embedding_net(context)
    with torch.no_grad():
        blocks = blocks_of(teacher, student)
        of_student = student_way(blocks, noise, embedded)
        of_teacher = teacher_way(blocks, of_student[0], embedded)
        x = teacher.layers[0].inverse(of_student[0])[0]
        expected = (student.log_prob(x, context) - teacher.log_prob(x, context)).mean()
        # the ways end where the flows themselves end
        torch.testing.assert_close(of_student[-1], student.transform_to_noise(x, context))
        torch.testing.assert_close(of_teacher[-1], teacher.transform_to_noise(x, context))
    torch.testing.assert_close(divergence(of_student, of_teacher), expected)
    assert expected > 0.01
    assert other.recipe == teacher.recipe


def test_two_batches_pass_through_the_student_as_one():
    teacher = bent_teacher()
    student, (x, context) = training.student_of(teacher), data(teacher, 50)
    blocks = blocks_of(teacher, student)
    with torch.no_grad():
        parts = student_way(blocks, torch.cat((x[:20], x[20:])), context).split(20)
        for part, rows in zip(parts, (slice(20), slice(20, None)), strict=True):
            alone = student_way(blocks, x[rows], context[rows])
            torch.testing.assert_close(part.logabsdet, alone.logabsdet)
            for one, other in zip(part, alone, strict=True):
                torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    "settings", [{"kl": 1.0}, {"kl": 0.0}, {"kl": 0.0, "balance": 1.0}, {"kl": 0.0, "balance": 0.0}]
)
def test_student_learns(settings):
    teacher = bent_teacher()
    student = training.student_of(teacher)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    history = training.distill(
        teacher, student, *data(teacher), epochs=6, learning_rate=5e-3, batch_size=128, progress=False, **settings
    )
    untrained = training.student_of(teacher)
    start = training.distill(teacher, untrained, *data(teacher), epochs=1, learning_rate=1e-9, progress=False).kl[0]
    assert min(history.kl) < 0.5 * start
    assert history.stopped_by == "epochs" and len(history.kl) == 6
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.requires_grad for parameter in teacher.parameters())
    # the weights that are kept are those of the lowest divergence, by the flows' own densities
    context = data(teacher)[1][:1000]
    with torch.no_grad():
        x, log_student = student.sample_and_log_prob(1, context)
        difference = log_student[:, 0] - teacher.log_prob(x[:, 0], context)
    error = difference.std().item() / np.sqrt(1000)
    assert abs(difference.mean().item() - min(history.kl)) < 6 * error + 0.1 * start


def test_checkpoint_continues_to_the_last_bit(tmp_path, monkeypatch):
    teacher = bent_teacher()
    given, options = data(teacher, 1000), dict(epochs=3, batch_size=200, progress=False)
    whole, broken = training.student_of(teacher), training.student_of(teacher)
    broken.load_state_dict(whole.state_dict())
    uninterrupted = training.distill(teacher, whole, *given, **options)

    class Interruption(Exception):
        pass

    write = checkpoints.write

    def write_twice(path, content):
        write(path, content)
        if content["steps"] >= 8:
            raise Interruption

    monkeypatch.setattr(checkpoints, "write", write_twice)
    with pytest.raises(Interruption):
        training.distill(teacher, broken, *given, **options, checkpoint=tmp_path / "student.pt")
    monkeypatch.setattr(checkpoints, "write", write)
    continued = training.student_of(teacher)
    history = training.distill(teacher, continued, *given, **options, checkpoint=tmp_path / "student.pt")
    assert history.kl == uninterrupted.kl
    for one, other in zip(continued.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(InputError, match="batch_size was 200, now 100"):
        training.distill(
            teacher, continued, *given, **options | {"batch_size": 100}, checkpoint=tmp_path / "student.pt"
        )


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"balance": 1.5}, "balance: expected a number between 0 and 1, got 1.5"),
        ({"kl": -1}, "kl: expected a number of at least 0, got -1"),
        ({"clock": 3}, "clock: expected a function such as time.process_time, got 3"),
        ({"schedule": "plateau"}, "schedule: expected 'cosine' or None"),
        ({"epochs": 0}, "epochs: expected an integer"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    teacher = bent_teacher()
    with pytest.raises(InputError, match=message):
        training.distill(teacher, training.student_of(teacher), *data(teacher, 20), progress=False, **changes)


def test_flows_that_do_not_belong_together_are_refused():
    teacher = bent_teacher()
    with pytest.raises(InputError, match="teacher: expected an autoregressive_flow"):
        training.student_of(flows.coupling_flow(3, context=1))
    other = flows.inverse_autoregressive_flow(**teacher.recipe[1] | {"seed": 3, "features": 3})
    for student in (other, flows.inverse_autoregressive_flow(3, context=1, transforms=3), bent_teacher()):
        with pytest.raises(InputError, match="student: expected student_of"):
            training.distill(teacher, student, *data(teacher, 20), epochs=1, progress=False)
