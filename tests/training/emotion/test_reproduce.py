"""The steps that make the emotion network that ships."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="Keras is in the training environment only")
pytest.importorskip("torch", reason="PyTorch is in the training environment only")

from tests.training.emotion.faces import EMBEDDER, bars, data_set
from training.emotion.__main__ import main, parser
from training.emotion.networks import build
from training.emotion.recipe import from_options, load_recipe
from training.emotion.reproduce import STEPS, Export, Join, Refine, Reproduction, Step, Train
from training.emotion.transfer import last_maps
from training.errors import TrainingError

PLACES = Reproduction(Path("data.npz"), EMBEDDER, Path("runs"))
SHORT: tuple[Step, ...] = (
    Train("first", "", 0.001, 1e-4, "0:16", 1),
    Join("all", ("first", "first"), "mirrored up=2"),
)


def sources(step: Step) -> Iterator[str]:
    match step:
        case Train():
            yield from [step.start] if step.start else []
        case Join():
            yield from step.runs
        case _:
            yield step.run


def test_each_step_reads_what_an_earlier_one_wrote() -> None:
    written: set[str] = set()
    for step in STEPS:
        assert set(sources(step)) <= written
        assert step.out not in written
        written.add(step.out)
    assert isinstance(STEPS[-1], Export)


def test_every_step_is_a_command_with_a_network_that_can_be_built() -> None:
    networks: dict[str, tuple[bool, int]] = {}
    for step in STEPS:
        options = parser().parse_args(PLACES.arguments(step))
        assert options.out == PLACES.out / step.out
        if isinstance(step, Train):
            recipe = from_options(options)
            assert recipe.minutes == step.minutes
            assert recipe.start == str(
                PLACES.out / step.start / "last.weights.h5" if step.start else EMBEDDER
            )
            last = max(recipe.sides)
            networks[step.out] = recipe.fine, recipe.sides[last]
            if step.start:  # the weights of a fine network fit one size of the last maps
                fine, side = networks[step.start]
                assert recipe.fine == fine
                assert not fine or last_maps(side) == last_maps(recipe.sides[last])
        elif isinstance(step, Refine):
            networks[step.out] = True, 2 * networks[step.run][1]
        elif isinstance(step, Join):
            assert len(options.views) == len(step.runs)
    first = from_options(parser().parse_args(PLACES.arguments(STEPS[0])))
    assert build(replace(first, start="")).output_shape == (None, 7)


def test_the_chain_runs_is_skipped_where_finished_and_rejects_another_schedule(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = data_set(tmp_path / "d.npz", *bars(64, 0))
    chain = Reproduction(data, EMBEDDER, tmp_path / "runs")
    chain.run(SHORT)
    recipe = load_recipe(tmp_path / "runs" / "all" / "recipe.json")
    assert [each.view.mirrored for each in recipe.parts] == [True, False]
    capfd.readouterr()
    chain.run(SHORT)
    assert capfd.readouterr().out.splitlines() == [f"{step.out}: finished" for step in SHORT]
    with pytest.raises(TrainingError, match="choose another --out"):
        replace(chain, scale=2.0).run(SHORT)


def test_a_failed_step_is_reported(tmp_path: Path) -> None:
    wrong = Train("wrong", "", 1, 1e-4, "0.5:16", 1)
    with pytest.raises(TrainingError, match="wrong failed"):
        Reproduction(tmp_path / "d.npz", EMBEDDER, tmp_path / "runs").run((wrong,))


def test_a_dry_run_prints_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["reproduce", "--data", "d.npz", "--start", "s.wts", "--out", "runs", "--dry-run"])
    assert len(capsys.readouterr().out.splitlines()) == len(STEPS)
