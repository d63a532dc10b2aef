"""One epoch of training: order of pictures, what is taught, what stops it."""

import math
import time
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from yolocourse.datasets.batch import collate
from yolocourse.engine import loop
from yolocourse.engine.loader import AT_ONCE, EpochSampler, batches, grouped, make_loader
from yolocourse.engine.loop import NotFiniteError, Prepare, Totals, phase_of, progress, train_epoch
from yolocourse.engine.processes import Processes
from yolocourse.engine.state import TrainState
from yolocourse.engine.tasks import Detection

CPU = torch.device("cpu")


class Terms(NamedTuple):
    part: Tensor
    total: Tensor
    share: Tensor


class Grid64:
    """Pictures laid on 64 x 64 pixels, boxes unchanged."""

    def __init__(self, scenes):
        self.scenes = scenes

    def __len__(self):
        return len(self.scenes)

    def __getitem__(self, i):
        image, target = self.scenes[i]
        canvas = torch.zeros(3, 64, 64, dtype=torch.uint8)
        canvas[:, :48, :48] = image
        return canvas, target


def order(count=20, seed=0, epoch=0, skip=0, processes=None, batch_size=1):
    sampler = EpochSampler(range(count), seed, processes or Processes(), batch_size)
    sampler.epoch, sampler.skip = epoch, skip
    result = list(sampler)
    assert len(sampler) == len(result)
    return result


def test_every_picture_once_in_another_order_each_epoch():
    assert sorted(order()) == list(range(20))
    orders = [tuple(order(epoch=e)) for e in range(4)] + [tuple(order(seed=1)), tuple(range(20))]
    assert len(set(orders)) == 6


def test_order_repeats_whatever_else_draws():
    first = order(seed=3, epoch=5)
    torch.rand(7)
    assert order(seed=3, epoch=5) == first


def test_skipping_goes_on_where_it_stopped():
    assert order(epoch=2, skip=8) == order(epoch=2)[8:]
    assert order(skip=20) == order(skip=25) == []


@pytest.mark.parametrize(("count", "ranks", "batch"), [(20, 2, 4), (21, 2, 4), (25, 3, 6)])
def test_processes_share_out_every_batch(count, ranks, batch):
    """Batch k holds the same pictures however many processes there are; what fills no batch is left out."""
    alone = order(count, epoch=1, batch_size=batch)
    processes = [Processes(rank, ranks) for rank in range(ranks)]
    parts = [order(count, epoch=1, processes=each, batch_size=batch) for each in processes]
    share = batch // ranks
    assert len(alone) == count // batch * batch
    for k in range(count // batch):
        together = sum((part[k * share : (k + 1) * share] for part in parts), [])
        assert sorted(together) == sorted(alone[k * batch : (k + 1) * batch])
    later = [order(count, epoch=1, skip=batch, processes=each, batch_size=batch) for each in processes]
    assert later == [part[share:] for part in parts]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_colours_do_not_depend_on_the_number_of_processes(make_scenes, make_settings, accumulate):
    settings, samples = make_settings(batch_size=8, accumulate=accumulate), make_scenes(8)
    whole = Prepare(settings, CPU)(collate([samples[i] for i in range(8)]), step=3).images
    for rank in range(2):
        prepare, mine = Prepare(settings, CPU, Processes(rank, 2)), list(range(8))[rank::2]
        size, done = len(mine) // accumulate, 0
        for portion in range(accumulate):
            some = mine[portion * size : (portion + 1) * size]
            images = prepare(collate([samples[i] for i in some]), 3, done).images
            assert torch.equal(images, whole[some])
            done += size


def test_groups_of_items():
    assert list(grouped(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(grouped([], 2)) == []


class Counting(Grid64):
    loaded = 0

    def __getitem__(self, i):
        self.loaded += 1
        return super().__getitem__(i)


def test_a_process_without_helpers_loads_several_batches_in_a_row(make_scenes, make_settings):
    count = AT_ONCE + 16
    scenes, settings = Counting(make_scenes(count)), make_settings(batch_size=8)
    loader = make_loader(scenes, settings, CPU, Processes())
    order = [image_id for batch in loader for image_id in batch.image_ids]
    scenes.loaded, loaded, found = 0, [], []
    for batch in batches(loader):
        loaded.append(scenes.loaded)
        found += batch.image_ids
    assert loaded == [AT_ONCE] * (AT_ONCE // 8) + [count] * 2
    assert found == order and len(set(found)) == count


def test_batches_that_are_large_are_loaded_one_by_one(make_scenes, make_settings):
    scenes = Counting(make_scenes(AT_ONCE * 2))
    loader = make_loader(scenes, make_settings(batch_size=AT_ONCE), CPU, Processes())
    assert [scenes.loaded for _ in batches(loader)] == [AT_ONCE, 2 * AT_ONCE]


def test_last_pictures_come_at_the_largest_size(make_settings):
    settings = make_settings(images=100, sizes=(32, 64, 96), sizes_every=1, last_images=30)
    prepare = Prepare(settings, CPU)
    assert {prepare.size(step, 50) for step in range(50)} == {32, 64, 96}
    assert {prepare.size(step, 70) for step in range(50)} == {96} == {prepare.size(3, 100)}


def test_phases(make_settings):
    settings = make_settings(images=100, warmup_images=10, sizes=(32, 64), last_images=20)
    assert [phase_of(settings, seen) for seen in (0, 9, 10, 79, 80)] == ["warm-up"] * 2 + [""] * 2 + [
        "last, at the largest size"
    ]
    assert phase_of(make_settings(images=24), 24) == ""


def test_portions_of_a_batch_give_the_gradient_of_the_whole(make_model, make_scenes, make_settings):
    """Without batch norm, whose statistics are those of a portion, cutting the batch changes nothing."""
    weights = []
    for accumulate in (1, 2, 4):
        settings = make_settings(batch_size=8, accumulate=accumulate, optimizer="sgd", warmup_images=0, images=8)
        model, sizes = without_batch_norm(make_model()), []

        def criterion(raw, *rest, sizes=sizes):
            sizes.append(len(raw))
            total = raw.square().mean(dim=(1, 2, 3)).sum()
            return Terms(total, total, torch.tensor(0.5))

        _, reports, _ = run_epoch(model, Grid64(make_scenes(8)), settings, criterion)
        assert sizes == [8 // accumulate] * accumulate
        assert [report.seen for report in reports] == [8]
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert not torch.equal(weights[0], torch.cat([p.flatten() for p in make_model().parameters()]))
    torch.testing.assert_close(weights[1], weights[0])
    torch.testing.assert_close(weights[2], weights[0])


def without_batch_norm(model):
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
            module.train = lambda mode=True: None
    return model


def test_float16_keeps_a_scale_and_skips_infinite_gradients(make_model, make_scenes, make_settings):
    model = make_model()
    settings = make_settings(precision="float16", optimizer="sgd", warmup_images=0)
    before = model.head.bias.detach().clone()
    state, _, _ = run_epoch(
        model, Grid64(make_scenes(40)), settings, Recorder()
    )  # too large a scale is halved at first
    assert state.scaler.is_enabled() and not torch.equal(model.head.bias, before)

    def infinite(raw, *rest):
        total = torch.sqrt(raw.float().sum() * 0)  # 0, with an infinite gradient
        return Terms(total, total, torch.tensor(0.5))

    model = make_model()
    before = model.head.bias.detach().clone()
    state, _, _ = run_epoch(model, Grid64(make_scenes(4)), settings, infinite)
    assert torch.equal(model.head.bias, before) and state.scaler.get_scale() == 2**15, "half of the first one"


@pytest.mark.parametrize(("count", "batches"), [(10, [4, 4]), (8, [4, 4]), (3, [3])])
def test_last_batch_is_left_out_unless_it_is_the_only_one(make_scenes, make_settings, count, batches):
    loader = make_loader(make_scenes(count), make_settings(), CPU, Processes())
    assert [len(batch) for batch in loader] == batches


class Recorder:
    """A criterion that keeps what it is given, and returns `value` times the mean of the output."""

    def __init__(self, value=1.0):
        self.calls, self.value = [], value

    def __call__(self, raw, boxes, labels, seen):
        self.calls.append((raw.shape, boxes.clone(), labels.clone(), seen))
        total = raw.mean() * self.value + 1
        return Terms(total, total, total.detach() * 0 + 0.5)


def run_epoch(model, scenes, settings, criterion, **counters):
    state = TrainState.start(model, settings)
    for name, value in counters.items():
        setattr(state, name, value)
    reports = []
    loader = make_loader(scenes, settings, CPU, Processes())
    finished = train_epoch(state, Detection(criterion), loader, settings, reports.append)
    return state, reports, finished


def test_the_time_of_an_update_counts(make_model, make_scenes, make_settings, monkeypatch):
    real = loop.update
    monkeypatch.setattr(loop, "update", lambda *arguments: (real(*arguments), time.sleep(0.3)))
    scenes = Grid64(make_scenes(12))
    state, reports, _ = run_epoch(make_model(), scenes, make_settings(images=100), Recorder())
    assert len(reports) == 3 and all(report.images_per_second < 4 / 0.3 for report in reports[1:])
    assert state.seconds > 0.6


def test_counters_and_reports(make_model, make_scenes, make_settings):
    criterion = Recorder()
    state, reports, finished = run_epoch(make_model(), Grid64(make_scenes(10)), make_settings(images=32), criterion)
    assert not finished
    assert (state.step, state.seen, state.epoch, state.batches) == (2, 8, 1, 0)
    assert [r.step for r in reports] == [1, 2] and [r.seen for r in reports] == [4, 8]
    assert [r.progress for r in reports] == [4 / 32, 8 / 32]
    assert [call[3] for call in criterion.calls] == [0, 4], "the loss is told the pictures seen before the batch"
    rates = [0.002 * 1 / 8, 0.002 * 5 / 8]  # warm-up over 8 pictures
    assert [r.learning_rate for r in reports] == pytest.approx(rates)
    assert all(r.size == 64 and r.images_per_second > 0 and 0 <= r.waited <= 1 for r in reports)
    assert state.optimizer.param_groups[0]["lr"] == pytest.approx(rates[1])


def test_training_ends_in_mid_epoch(make_model, make_scenes, make_settings):
    state, reports, finished = run_epoch(make_model(), Grid64(make_scenes(12)), make_settings(images=7), Recorder())
    assert finished and len(reports) == 2 and reports[-1].progress == 1
    assert (state.epoch, state.batches) == (0, 2)


def test_time_limit_ends_training(make_model, make_scenes, make_settings):
    settings = make_settings(images=10_000, max_seconds=1e-6)
    _, reports, finished = run_epoch(make_model(), Grid64(make_scenes(12)), settings, Recorder())
    assert finished and len(reports) == 1


def test_progress_by_pictures_or_by_time(make_model, make_settings):
    state = TrainState.start(make_model(), make_settings())
    state.seen, state.seconds = 6, 5.0
    assert progress(state, make_settings(images=24)) == 0.25
    assert progress(state, make_settings(images=24, max_seconds=10.0)) == 0.5
    assert progress(state, make_settings(images=24, max_seconds=100.0)) == 0.25
    assert progress(state, make_settings(images=24, max_seconds=1.0)) == 1


def test_difficult_boxes_are_not_taught(make_model, make_scenes, make_settings):
    scenes = make_scenes(4)
    for _, target in scenes.items:
        target["difficult"] = torch.arange(len(target["boxes"])) == 0
    criterion = Recorder()
    run_epoch(make_model(), Grid64(scenes), make_settings(), criterion)
    _, _, labels, _ = criterion.calls[0]
    assert (labels >= 0).sum() == sum(max(len(target["boxes"]) - 1, 0) for _, target in scenes.items) == 1


def test_picture_without_box_labels_is_refused(make_model, make_scenes, make_settings):
    scenes = make_scenes(4)
    scenes.items[2] = (scenes.items[2][0], {"label": torch.tensor(1), "image_id": "owl.jpg"})
    with pytest.raises(ValueError, match=r"'owl.jpg' has no box labels"):
        run_epoch(make_model(), Grid64(scenes), make_settings(), Recorder())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_that_is_not_finite_stops_before_the_weights(make_model, make_scenes, make_settings, value):
    def broken(raw, *rest):
        total = raw.sum() * 0 + value
        return Terms(total, total, torch.tensor(0.5))

    model = make_model()
    before = {name: p.clone() for name, p in model.named_parameters()}
    with pytest.raises(NotFiniteError, match=r"step 8 is not finite: .*'share': 0.5.*; pictures \['scene") as caught:
        run_epoch(model, Grid64(make_scenes(4)), make_settings(), broken, step=7)
    assert all(f"scene {i}" in str(caught.value) for i in range(4))
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_gradient_is_that_of_one_picture(make_model, make_scenes, make_settings):
    """The loss is a sum over the batch; the step follows its mean, so that the rate does not depend on batch size."""
    model = make_model()
    settings = make_settings(optimizer="sgd", momentum=0.0, weight_decay=0.0, warmup_images=0, learning_rate=0.5)
    bias = model.head.bias.detach().clone()

    def criterion(raw, *rest):
        total = raw[:, 0].mean(dim=(1, 2)).sum()  # d total / d bias[0] = 4, one for each picture
        return Terms(total, total, torch.tensor(0.0))

    run_epoch(model, Grid64(make_scenes(4)), settings, criterion)
    assert (model.head.bias - bias)[:2].tolist() == pytest.approx([-0.5, 0.0])


def test_gradient_is_clipped(make_model, make_scenes, make_settings):
    settings = make_settings(
        optimizer="sgd", momentum=0.0, weight_decay=0.0, warmup_images=0, learning_rate=1.0, clip_gradient=0.01
    )
    model = make_model()
    before = [p.detach().clone() for p in model.parameters()]
    run_epoch(model, Grid64(make_scenes(4)), settings, Recorder(1e4))
    moved = sum((p - b).square().sum() for p, b in zip(model.parameters(), before, strict=True)).sqrt().item()
    assert moved == pytest.approx(0.01, rel=1e-2)


class Fit(NamedTuple):
    total: Tensor
    average_iou: Tensor
    truths: Tensor


def test_terms_are_sums_and_statistics_are_means():
    totals = Totals()
    totals.add(Terms(torch.tensor(8.0), torch.tensor(12.0), torch.tensor(0.75)), 4)
    assert totals.result(Processes())[:2] == ({"part": 2.0, "total": 3.0, "share": 0.75}, 4)
    totals.add(Terms(torch.tensor(2.0), torch.tensor(6.0), torch.tensor(0.25)), 2)
    terms, count, more = totals.result(Processes(), 7.0, 1.0)
    assert (terms["total"], count, more) == (3.0, 6, [7.0, 1.0])
    assert terms["part"] == pytest.approx(10 / 6) and terms["share"] == pytest.approx((0.75 * 4 + 0.25 * 2) / 6)


def test_fit_is_a_mean_over_truths():
    totals = Totals()
    totals.add(Fit(torch.tensor(1.0), torch.tensor(0.5), torch.tensor(3)), 4)
    totals.add(Fit(torch.tensor(1.0), torch.tensor(0.9), torch.tensor(1)), 4)
    totals.add(Fit(torch.tensor(1.0), torch.tensor(0.0), torch.tensor(0)), 4)
    terms, count, _ = totals.result(Processes())
    assert terms == {"total": 0.25, "average_iou": pytest.approx(0.6), "truths": 4.0} and count == 12


def test_preparation_depends_on_seed_and_step_alone(make_scenes, make_settings):
    batch = collate([make_scenes(4)[i] for i in range(4)])
    prepare = Prepare(make_settings(seed=1), CPU)
    first = prepare(batch, 5).images
    torch.rand(3)
    assert torch.equal(Prepare(make_settings(seed=1), CPU)(batch, 5).images, first)
    assert not torch.equal(prepare(batch, 6).images, first)
    assert not torch.equal(Prepare(make_settings(seed=2), CPU)(batch, 5).images, first)
    plain = Prepare(make_settings(hue=0, saturation=1, exposure=1), CPU)(batch, 5)
    assert torch.equal(plain.images, batch.images)


def test_sizes_change_with_their_boxes(make_scenes, make_settings):
    batch = collate([Grid64(make_scenes(4))[i] for i in range(4)])
    prepare = Prepare(make_settings(sizes=(32, 64, 96), sizes_every=2), CPU)
    sizes = []
    for step in range(40):
        changed = prepare(batch, step)
        side = changed.images.shape[-1]
        assert changed.images.shape == (4, 3, side, side)
        torch.testing.assert_close(changed.boxes, batch.boxes * side / 64)
        sizes.append(side)
    assert set(sizes) == {32, 64, 96}
    assert sizes[::2] == sizes[1::2], "a size lasts for `sizes_every` steps"
