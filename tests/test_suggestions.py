"""What a complaint suggests: the word, the network or the file that was meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettally.errors import NettallyError, ReadError, closest, nearest
from nettally.formats import Source, read
from nettally.formats.native import read as read_native
from nettally.formats.zoo import names
from nettally.layers import OTHER_WORDS, closest_kind, kinds

# What others call a layer, or how it is misspelt; and ours.
KINDS = [
    ("dense", "linear"),
    ("Dense", "linear"),
    ("fc", "linear"),
    ("InnerProduct", "linear"),
    ("bn", "batch_norm"),
    ("BatchNorm2d", "batch_norm"),
    ("batchnorm", "batch_norm"),
    ("BatchNormalization", "batch_norm"),
    ("convolution", "conv"),
    ("Conv2d", "conv"),
    ("conw", "conv"),
    ("deconv", "conv_transpose"),
    ("Deconvolution", "conv_transpose"),
    ("conv_transpose2d", "conv_transpose"),
    ("gap", "global_average_pool"),
    ("avg_pool", "average_pool"),
    ("MaxPool2D", "max_pool"),
    ("ReLU", "relu"),
    ("swish", "silu"),
    ("desne", "linear"),
    ("concatenate", "concat"),
]


@pytest.mark.parametrize(("word", "kind"), KINDS)
def test_another_word_for_a_layer(word: str, kind: str) -> None:
    assert closest_kind(word) == f"did you mean '{kind}'?"


def test_other_words_lead_to_layers_that_there_are() -> None:
    assert set(OTHER_WORDS.values()) <= set(kinds())
    assert not set(OTHER_WORDS) & set(kinds()), "a layer needs no suggestion"


def test_a_part_of_several_names_lists_them() -> None:
    assert closest_kind("norm").startswith("one of batch_norm, contrast_norm, group_norm")
    assert "conv" not in closest_kind("norm")


# What is typed for a network of the zoo, and what is suggested.
NETWORKS = [
    ("alexnet-caffe", "did you mean 'caffe-alexnet'?"),
    ("v3-inception", "did you mean 'inception-v3'?"),
    ("vgg", "one of vgg-16, vgg-19, vgg-a, vgg-b, vgg-c"),
    ("VGG16", "did you mean 'vgg-16'?"),
    ("resnet50", "did you mean 'resnet-50'?"),
    ("ResNet", "one of resnet-101, resnet-152, resnet-18, resnet-34, resnet-50"),
    ("unet", "did you mean 'u-net'?"),
    ("densenet", "did you mean 'densenet-121'?"),
    ("torchvision-resnet-50", "did you mean 'resnet-50-torchvision'?"),
    ("alexnat", "did you mean 'alexnet'?"),
]


@pytest.mark.parametrize(("name", "hint"), NETWORKS)
def test_another_name_for_a_network(
    name: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReadError) as caught:
        read(name)
    assert caught.value.hint.startswith(hint)


@given(st.sampled_from(names()), st.randoms())
def test_the_words_of_a_name_in_any_order(name: str, random: object) -> None:
    words = name.split("-")
    random.shuffle(words)  # type: ignore[attr-defined] - as hypothesis has it
    assert name in nearest("-".join(words), names())


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("net.yml", "did you mean 'net.yaml'?"),
        ("nett.yaml", "did you mean 'net.yaml'?"),
        ("net", "did you mean 'net.yaml'?"),
        ("models/alexnet.prototext", "did you mean 'models/alexnet.prototxt'?"),
        ("model/alexnet.prototxt", "did you mean 'models'?"),
        ("models/other.onnx", ""),
    ],
)
def test_a_file_that_is_not_there_has_neighbours(
    typed: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "net.yaml").touch()
    (tmp_path / "models" / "alexnet.prototxt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReadError) as caught:
        read(typed.replace("/", os.sep))
    assert caught.value.hint == hint.replace("/", os.sep)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("conv 96 11x11", "'96, 11x11'"),
        ("conv 96, 11x11 stride 4", "'11x11, stride 4'"),
        ("conv 96, 11x11, stride 4 padding 2", "'4, padding 2'"),
        ("linear 10 no bias", "'10, no bias'"),
        ("max_pool 3x3 stride 2", "'3x3, stride 2'"),
    ],
)
def test_a_comma_left_out(line: str, hint: str) -> None:
    with pytest.raises(ReadError, match="without a comma") as caught:
        read_native(_source(line))
    assert caught.value.hint == hint
    assert caught.value.where == "net.yaml:4"


def test_sizes_with_blanks() -> None:
    with pytest.raises(ReadError, match="without blanks") as caught:
        read_native(_source("conv 96, 11 × 11"))
    assert caught.value.hint == "'11x11'"


def test_a_value_that_is_computed_keeps_its_blanks() -> None:
    assert read_native(_source("conv 48 * 2, 11x11")).nodes[0].layer.fields()["filters"] == 96
    with pytest.raises(NettallyError, match="never closed") as caught:
        read_native(_source("conv 8 * (3 4), 3x3"))
    assert "comma" not in str(caught.value)


def _source(line: str) -> Source:
    text = f"nettally: 1\ninput: 3x32x32\nlayers:\n  - a: {line}\n"
    return Source("net.yaml", text.encode())


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=20))
def test_anything_has_a_suggestion(word: str, known: list[str]) -> None:
    assert closest(word, known).startswith(("did you mean", "one of"))
    assert set(nearest(word, known)) <= set(known)
