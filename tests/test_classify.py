"""A run on image files: what it takes them for, features, and files that are no images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import runs
import training
from nettally import NettallyError, cli, read, tally
from nettally.data.packed import open_packed
from nettally.training.run import Run
from nettally.viewing.classify import classify, image_of, save_features, square_of


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.made(tmp_path / "run")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Three digits of the test split as files, pixel for pixel."""
    images = open_packed("digits").splits["test"].images(torch.arange(3))
    names: list[str] = []
    for place, image in enumerate(images):
        path = tmp_path / f"digit{place}.png"
        Image.fromarray(image[..., 0].numpy()).save(path)
        names.append(str(path))
    return names


def broken(tmp_path: Path) -> str:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return str(path)


# --- classes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("views", [1, 10])
def test_the_chances_are_the_softmax_of_the_scores(run: Run, files: list[str], views: int) -> None:
    images = open_packed("digits").splits["test"].images(torch.arange(3))
    with torch.no_grad():
        if views == 1:
            chances = run.module()(run.centre(images))
        else:
            chances = torch.stack([run.module()(crops).mean(0) for crops in run.ten(images)])
    for answer, row in zip(classify(run, files, views=views), chances, strict=True):
        expected = row.sort(descending=True, stable=True)
        assert [guess.place for guess in answer.guesses] == expected.indices[:5].tolist()
        found = [guess.chance for guess in answer.guesses]
        assert found == pytest.approx(expected.values[:5].tolist(), rel=1e-4)
        assert [guess.name for guess in answer.guesses] == [
            run.classes[int(place)] for place in expected.indices[:5]
        ]


def test_files_of_other_sizes_are_cut_as_packing_cuts_them(run: Run, tmp_path: Path) -> None:
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = 200  # the middle square
    Image.fromarray(wide).save(tmp_path / "wide.png")
    image = image_of(str(tmp_path / "wide.png"), square_of(run))
    assert image.shape == (8, 8, 1)
    assert image.unique().tolist() == [200]


def test_more_files_than_a_batch_keep_their_order(run: Run, files: list[str]) -> None:
    many = (files * 30)[:70]
    found = list(classify(run, many, top=1))
    assert [each.path for each in found] == many
    assert [each.guesses for each in found] == [found[i % 3].guesses for i in range(70)]


def test_the_table_and_the_others_go_on_after_a_broken_file(
    run: Run, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = broken(tmp_path)
    assert cli.run(["classify", run.path, files[0], bad, files[1], "--top", "3"]) == 2
    out, err = capsys.readouterr()
    assert out.count("class") == 2
    assert out.index(files[0]) < out.index(files[1])
    assert err.startswith(f"error: {bad}: the image can't be read: ")
    assert cli.run(["classify", run.path, files[0]]) == 0


def test_json_names_the_classes_and_the_broken(
    run: Run, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = broken(tmp_path)
    code = cli.run(["classify", run.path, files[0], bad, "--top", "2", "--format", "json"])
    assert code == 2
    told = json.loads(capsys.readouterr().out)
    first, second = told["images"]
    assert told["views"] == 1
    assert first["image"] == files[0]
    assert len(first["classes"]) == 2
    assert first["classes"][0]["chance"] >= first["classes"][1]["chance"]
    assert first["classes"][0]["class"] == str(first["classes"][0]["place"])
    assert second["image"] == bad
    assert second["error"].startswith("the image can't be read: ")


def test_names_of_classes_reach_the_terminal_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = training.packed()
    names = ("\x1b[31mred", *[f"class {i} {'long ' * 20}" for i in range(1, 10)])
    made = runs.made(tmp_path / "run", packed=packed.replace(classes=names))
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert cli.run(["classify", made.path, str(tmp_path / "a.png"), "--top", "10"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[31m" not in out
    assert "\\x1b[31mred" in out
    assert max(map(len, out.splitlines()[1:])) <= 80


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("none.png", "can't open the image: No such file or directory"),
        ("folder", "this is a folder, and not a file"),
        ("text.png", "the image can't be read: no image that is known here"),
    ],
)
def test_what_is_no_image_is_said(run: Run, tmp_path: Path, name: str, complaint: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(NettallyError) as caught:
        image_of(str(tmp_path / name), square_of(run))
    assert caught.value.what == complaint
    assert caught.value.where == str(tmp_path / name)


def test_images_that_are_not_square_are_not_guessed(tmp_path: Path) -> None:
    text = training.SMALL.replace("1x8x8", "1x8x6")
    made = runs.made(tmp_path / "run", text, packed=training.packed(size=(8, 6, 1)))
    with pytest.raises(NettallyError) as caught:
        square_of(made)
    assert caught.value.values == "8x6"
    assert "not square" in caught.value.what


# --- features -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["relu2", "pool1", "conv1"])
def test_features_of_a_split_are_in_order(run: Run, tmp_path: Path, layer: str) -> None:
    path, labels = tmp_path / "x.npy", tmp_path / "y.npy"
    arguments = ["features", run.path, "--split", "test", "--layer", layer]
    assert cli.run([*arguments, "-o", str(path), "--labels", str(labels)]) == 0
    split = open_packed("digits").splits["test"]
    with torch.no_grad():
        images = run.centre(split.images(torch.arange(len(split))))
        expected = run.module().values(images, of=[layer])[layer]
    found = np.load(path, allow_pickle=False)
    assert found.dtype == np.float32
    assert found.shape == tuple(expected.shape)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    assert np.load(labels, allow_pickle=False).tolist() == split.labels.tolist()


def test_features_of_files_leave_out_the_broken(
    run: Run, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.npy"
    bad = broken(tmp_path)
    assert cli.run(["features", run.path, files[0], bad, files[2], "-o", str(path)]) == 2
    out, err = capsys.readouterr()
    assert "relu2 of image files, float32 2 x 16; 1 left out" in out
    assert f"error: {bad}: " in err
    images = open_packed("digits").splits["test"].images(torch.tensor([0, 2]))
    with torch.no_grad():
        expected = run.module().values(run.centre(images), of=["relu2"])["relu2"]
    np.testing.assert_allclose(np.load(path), expected.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("-o", "x.txt"), "features are written as .npy"),
        (("a.png", "--split", "test", "-o", "x.npy"), "features are taken of image files, or of"),
        (("--layer", "relu9", "-o", "x.npy"), "small has no layer 'relu9'"),
        (("--split", "validation", "-o", "x.npy"), "the data has no split 'validation'"),
    ],
)
def test_features_complain(
    run: Run, arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["features", run.path, *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_features_of_no_image_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(NettallyError) as caught:
        save_features(str(tmp_path / "x.npy"), iter([]))
    assert caught.value.what == "there is no image to take features of"
    assert not list(tmp_path.iterdir())
    with pytest.raises(NettallyError) as caught:
        save_features(str(tmp_path / "none" / "x.npy"), iter([torch.zeros(1, 2)]))
    assert caught.value.what == "can't write the features: No such file or directory"


# --- export -------------------------------------------------------------------------------------


def test_a_run_is_exported_and_tallies_the_same(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.onnx"
    assert cli.run(["export", run.path, "-o", str(path)]) == 0
    counted, exported = tally(run.network), tally(read(str(path)))
    assert int(exported.parameters) == int(counted.parameters)
    assert int(exported.macs) == int(counted.macs)
    out = capsys.readouterr().out
    assert f"net.onnx: small, the run's last.safetensors, {path.stat().st_size:,} bytes" in out
    assert f"{int(counted.parameters):,} parameters" in out


def test_weights_go_out_and_in_again(run: Run, tmp_path: Path) -> None:
    weights, first, second = (tmp_path / name for name in ("w.safetensors", "a.onnx", "b.onnx"))
    assert cli.run(["export", run.path, "-o", str(weights)]) == 0
    assert cli.run(["export", run.path, "-o", str(first)]) == 0
    network = str(Path(run.path) / "network.yaml")
    assert cli.run(["export", network, "--weights", str(weights), "-o", str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()


def test_initial_values_are_those_of_the_seed(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.onnx" for name in "abc"]
    for path, seed in zip(paths, ("0", "0", "1"), strict=True):
        assert cli.run(["export", "lenet-5", "--seed", seed, "-o", str(path)]) == 0
    first, again, other = (path.read_bytes() for path in paths)
    assert first == again != other


def test_weights_that_do_not_fit_are_listed_line_by_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "w.safetensors"
    assert cli.run(["export", run.path, "-o", str(weights)]) == 0
    capsys.readouterr()
    output = str(tmp_path / "x.onnx")
    assert cli.run(["export", "lenet-5", "--weights", str(weights), "-o", output]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"error: {weights}: the weights do not fit the network"
    assert "  c1.weight has no values in the source" in lines
    assert lines[-1] == "  try: weights of this network, by the names of its layers"


@pytest.mark.parametrize("option", [("--weights", "w.safetensors"), ("--input", "1x8x8")])
def test_a_run_has_its_own_weights_and_sizes(
    run: Run, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["export", run.path, *option, "-o", "x.onnx"]) == 2
    err = capsys.readouterr().err
    assert "a run has its own weights and sizes" in err
    assert option[0] in err
