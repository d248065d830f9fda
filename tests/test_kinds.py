"""Files that are no model that we read: each is named for what it is, with one next step."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

import nettally
from nettally.errors import NettallyError, ReadError
from nettally.formats import FORMATS, HEAD, format_module, kinds
from seeds import seeds
from targets import TARGETS


def complaint(path: Path) -> ReadError:
    with pytest.raises(ReadError) as error:
        nettally.read(path)
    return error.value


def message(*fields: tuple[int, Any]) -> bytes:
    """A message of protobuf; fields are whole numbers, text or messages, none over 127 bytes."""
    data = b""
    for number, value in fields:
        if isinstance(value, int):
            data += bytes([number << 3, value])
        else:
            content = value.encode() if isinstance(value, str) else value
            data += bytes([number << 3 | 2, len(content)]) + content
    return data


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _ipynb() -> bytes:
    return _json({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


NODE = message((1, "conv"), (2, "Conv2D"), (3, "x"))
OP = message((1, "x"), (2, "y"), (4, "Relu"), (5, b""))

SAMPLES: dict[str, tuple[str, bytes, str, str]] = {
    # name of the file, its bytes, words of what it is, words of the next step
    "empty": ("net.onnx", b"", "empty", "again"),
    "blank": ("net.prototxt", b"\n  \n", "empty", "again"),
    "zeros": ("net.bin", bytes(4096), "zeros", "again"),
    "lfs": (
        "model.safetensors",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
        "Git LFS",
        "git lfs pull",
    ),
    "page": ("m.h5", b"\n<!doctype HTML>\n<html>", "HTML", "download"),
    "page with a comment": ("m.pt", b"<!-- 1 -->\n<html lang='en'>", "HTML", "download"),
    "store": ("m.pth", b"<?xml version='1.0'?><Error><Code>NoSuchKey", "error page", "download"),
    "answer": ("m.onnx", _json({"error": "Repository not found"}), "reports an error", "download"),
    "hub": ("m.bin", b"Entry not found", "reports an error", "download"),
    "ggml": ("m.bin", b"lmgg\1\0\0\0", "GGML", "safetensors"),
    "executorch": ("m.pte", b"\x1c\0\0\0ET12" + bytes(40), "ExecuTorch", "module"),
    "mobile": ("m.ptl", b"\x1c\0\0\0PTMF" + bytes(40), "TorchScript", "zip"),
    "ort": ("m.ort", b"\x1c\0\0\0ORTM" + bytes(40), "ONNX Runtime", ".onnx"),
    "circle": ("m.circle", b"\x1c\0\0\0CIR0" + bytes(40), "Circle", "tflite"),
    "tensorrt": ("m.engine", b"ftrt\0\0\0\0" + bytes(40), "TensorRT", "ONNX"),
    "tensorrt by name": ("m.plan", b"\1\2\3\0" * 9, "TensorRT", "ONNX"),
    "mlir": ("m.mlirbc", b"ML\xefR\r", "MLIR", "ONNX"),
    "core ml": (
        "m.mlmodel",
        message((1, 4), (2, message((1, message((1, "image"), (3, b"*\0")))))),
        "Core ML",
        "converted from",
    ),
    "cntk": ("m.model", message((1, 1), (2, message((1, "version"), (2, b"\x08\1")))), "CNTK", ""),
    "saved model": (
        "saved_model.pb",
        message((1, 1), (2, message((1, message((4, "serve"))), (2, message((1, NODE)))))),
        "SavedModel",
        "tf2onnx",
    ),
    "meta graph": (
        "m.meta",
        message((1, message((2, message((1, message((1, "Add")))))))),
        "MetaGraph",
        "tf2onnx",
    ),
    "frozen graph": ("m.pb", message((1, NODE), (4, b"\x08\x1b")), "TensorFlow", "tf2onnx"),
    "paddle": (
        "m.pdmodel",
        message((1, message((1, 0), (2, 0), (3, message((1, "feed")))))),
        "Paddle",
        "paddle2onnx",
    ),
    "paddle whose parent is -1": (
        "__model__",
        b"\x0a\x12\x08\0\x10" + b"\xff" * 9 + b"\1" + b"\x1a\2\x0a\0",
        "Paddle",
        "paddle2onnx",
    ),
    "caffe2": ("predict_net.pb", message((1, "net"), (2, OP)), "Caffe2", "ONNX"),
    "caffe2's tensors": (
        "init_net.pb",
        message((1, "init"), (2, message((2, "w"), (3, ""), (4, "GivenTensorFill"), (5, b"")))),
        "Caffe2",
        "ONNX",
    ),
    "mean": (
        "mean.binaryproto",
        message((1, 1), (2, 3), (3, 2), (4, 2)) + b"\x2a\x30" + bytes(48),
        "mean image",
        "prototxt",
    ),
    "darknet": (
        "yolo.weights",
        struct.pack("<iiiq", 0, 2, 0, 32013312) + b"\1\2\3\4" * 9,
        "Darknet's weights",
        ".cfg",
    ),
    "darknet of old": ("y", struct.pack("<iiii", 0, 1, 0, 5) + bytes(9), "Darknet", ".cfg"),
    "ncnn": ("m.bin", b"\x47\x6b\x30\x01" + bytes(9), "ncnn", ".param"),
    "mxnet's arrays": ("m.params", b"\x12\1" + bytes(30), "MXNet", "ONNX"),
    "checkpoint's index": ("m.index", b"\0\0\6\x08\1\x1a\2\x08\1\0", "TensorFlow", "to_json"),
    "checkpoint's data": ("m.ckpt.data-00000-of-00001", b"\1\2\0" * 9, "TensorFlow", "to_json"),
    "checkpoint's list": ("checkpoint", b'model_checkpoint_path: "m"\n', "TensorFlow", "to_json"),
    "torch7": ("m.t7", struct.pack("<iii", 4, 1, 3) + b"V 1", "Torch 7", "ONNX"),
    "flax": ("m.msgpack", b"\x81\xa6params\x81\xa5dense", "Flax", "package.module"),
    "fasttext": ("m.bin", struct.pack("<i", 793712314) + bytes(9), "fastText", ""),
    "npy": ("w.npy", b"\x93NUMPY\1\0", "NumPy", "layers"),
    "matlab": ("m.mat", b"MATLAB 5.0 MAT-file", "MATLAB", "ONNX"),
    "r": ("m.rda", b"RDX3\nX\n", "file of R", ""),
    "julia": ("m.jld2", b"HDF5-based Julia Data Format", "Julia", ""),
    "tensorboard": (
        "events.out.tfevents.1",
        b"\x18" + bytes(11) + b"\x09" + bytes(8) + b"\x1a\x0dbrain.Event:2",
        "TensorBoard",
        "",
    ),
    "lmdb": ("data.mdb", bytes(16) + b"\xde\xc0\xef\xbe", "LMDB", ""),
    "idx": ("train-images-idx3-ubyte", b"\0\0\x08\3\0\0\xea\x60", "MNIST", "data pack"),
    "png": ("alexnet.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "picture", "describes the network"),
    "jpeg": ("alexnet.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "picture", ""),
    "svg": ("alexnet.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture", ""),
    "video": ("m.mp4", b"\0\0\0 ftypisom", "video", ""),
    "paper": ("paper.pdf", b"%PDF-1.5\n%\xe2\xe3", "PDF", ""),
    "program": ("a.out", b"\x7fELF\2\1\1\0", "program", "factory"),
    "7z": ("m.7z", b"7z\xbc\xaf\x27\x1c\0\4", "7z", "unpack"),
    "xz": ("m.onnx.xz", b"\xfd7zXZ\0\0\4", "xz", "xz --decompress"),
    "zstd": ("m.onnx.zst", b"\x28\xb5\x2f\xfd\0", "zstd", "zstd -d"),
    "tar": ("m.tar", b"net/".ljust(257, b"\0") + b"ustar\0", "tar", "tar -xf"),
    "openvino": ("m.xml", b'<?xml version="1.0"?>\n<net name="n" version="11">', "OpenVINO", ""),
    "pmml": ("m.pmml", b'<PMML version="4.4">', "PMML", "ONNX"),
    "mlir in text": ("m.mlir", b"module @m {\n  func.func @main()", "MLIR", "ONNX"),
    "notebook": ("train.ipynb", _ipynb(), "notebook", "Class"),
    "tokenizer": ("tokenizer.json", _json({"added_tokens": []}), "tokenizer", "safetensors"),
    "adapter": ("adapter_config.json", _json({"peft_type": "LORA"}), "adapter", "adapter_model"),
    "diffusers": ("c.json", _json({"_diffusers_version": "0.3"}), "diffusers", "safetensors"),
    "mxnet": ("m.json", _json({"nodes": [], "arg_nodes": [0]}), "MXNet", "ONNX"),
    "tensorflow.js": (
        "weights_manifest.json",
        _json([{"paths": ["g"], "weights": []}]),
        "TensorFlow.js",
        "model.json",
    ),
    "coco": ("instances.json", _json({"annotations": []}), "COCO", ""),
    "log": ("log.txt", b'{"epoch": 1}\n{"epoch": 2}\n', "log", ""),
    "ultralytics": ("y.yaml", b"nc: 80\nbackbone:\n  - [-1, 1, Conv]\n", "Ultralytics", "ONNX"),
    "mmdetection": ("m.yml", b"MODEL:\n  META_ARCHITECTURE: RetinaNet\n", "Detectron2", ""),
    "toronto": (
        "net.pbtxt",
        b'model_type: CLASSIFICATION\nlayer {\n name: "a"\n}\nedge {\n source: "a"\n}\n',
        "convnet of Toronto",
        "",
    ),
    "caffe2 in text": (
        "n.pbtxt",
        b'name: "n"\nop {\n input: "x"\n type: "Relu"\n}\n',
        "Caffe2",
        "ONNX",
    ),
    "graph in text": ("g.pbtxt", b'node {\n name: "x"\n op: "Placeholder"\n}\n', "TensorFlow", ""),
    "pipeline": ("p.config", b"train_config {\n batch_size: 1\n}\n", "detection", ""),
    "triton": ("c.pbtxt", b'platform: "x"\nmax_batch_size: 8\n', "Triton", "beside"),
    "label map": ("l.pbtxt", b"item {\n id: 1\n}\n", "classes", ""),
    "transformers": ("x.json", _json({"architectures": ["A"]}), "Hugging Face", "safetensors"),
    "rates": ("p.cfg", b"[a]\nepsW=0.1\nfoo=1\n", "learning rates", "LAYERS"),
    "darknet's data": ("c.data", b"classes= 80\ntrain = t.txt\n", ".data", ".cfg"),
    "c": ("m.cc", b"#include <stdint.h>\nconst unsigned char m[] = {\n", "C", ""),
    "python": ("net.py", b"import torch\n\nclass Net(torch.nn.Module):\n", "Python", ":Class"),
    "graphviz": ("g.dot", b"digraph g {\n a -> b\n}", "Graphviz", ""),
    "markdown": ("README.md", b"# A net\n\nIt is.\n", "text for readers", ""),
    "table": ("t.csv", b"layer,parameters,macs\nconv1,3,5\n", "table", ""),
    "ascend": ("m.om", b"IMOD" + bytes(9), "Ascend", "ONNX"),
    "rockchip": ("m.rknn", b"RKNN" + bytes(9), "Rockchip", "ONNX"),
    "hailo": ("m.hef", b"\x01HEF" + bytes(9), "Hailo", "ONNX"),
    "kendryte": ("m.kmodel", b"LDMK" + bytes(9), "Kendryte", "TFLite"),
    "sophgo": ("m.cvimodel", b"CviModel" + bytes(9), "Sophgo", "ONNX"),
    "llvm": ("m.bc", b"BC\xc0\xde" + bytes(9), "LLVM", ""),
    "cntk 1": ("m.dnn", "BCNTK".encode("utf-16-le"), "CNTK 1", "ONNX"),
    "kaldi": ("final.mdl", b"\0B<TransitionModel> ", "Kaldi", "ONNX"),
    "kaldi in text": ("final.txt", b"<Nnet3> \n", "Kaldi", "ONNX"),
    "sqlite": ("m.db", b"SQLite format 3\0", "SQLite", ""),
    "parquet": ("t.parquet", b"PAR1\x15\0", "Parquet", ""),
    "java": ("m.model", b"\xac\xed\0\5sr", "Java", "ONNX"),
    "postscript": ("m.ps", b"%!PS-Adobe-3.0", "document", ""),
    "lz4": ("m.onnx.lz4", b"\x04\x22\x4d\x18\x64", "lz4", "lz4 -d"),
    "joblib": ("m.joblib", b"x\x9c\xed\xbd", "zlib", ""),
    "xml": ("m.xml", b"<?xml version='1.0'?><model/>", "XML", ""),
    "tnn": ("m.tnnproto", b'"1 57 1 4206624770 ,"\n', "TNN", "ONNX"),
    "preprocessor": ("p.json", _json({"do_normalize": True}), "transformers", "safetensors"),
    "xgboost": ("m.json", _json({"learner": {}}), "XGBoost", ""),
    "lightgbm": ("m.txt", b"tree\nversion=v3\n", "LightGBM", ""),
    "saved model in text": ("m.pbtxt", b"meta_graphs {\n}\n", "SavedModel", "tf2onnx"),
    "external": ("m.onnx.data", b"\1\2\3\0" * 9, "weights of an ONNX", ".onnx"),
    "mnn": ("m.mnn", b"\1\2\3\0" * 9, "MNN", "ONNX"),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_file_is_named_for_what_it_is(sample: str, tmp_path: Path) -> None:
    name, data, title, step = SAMPLES[sample]
    path = tmp_path / name
    path.write_bytes(data)
    error = complaint(path)
    assert error.what.startswith("this is ")
    assert title in error.what
    assert error.hint
    assert step in error.hint
    assert error.where == str(path)


def test_each_row_is_the_first_that_fits_some_sample() -> None:
    """A row behind another that always fits first would never be read."""
    rows = [row for table in (kinds.MISTAKEN, kinds.BEGINNINGS, kinds.TEXTS) for row in table]
    first = {
        next((title for pattern, title, _ in rows if _fits(pattern, data)), "")
        for _, data, _, _ in SAMPLES.values()
    }
    assert {title for _, title, _ in rows} - first == set()


def _fits(pattern: bytes, data: bytes) -> bool:
    return re.compile(pattern, re.DOTALL | re.MULTILINE).match(data) is not None


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_reader_knows_is_never_called_something_else(name: str) -> None:
    """Complaints about a network's file are its reader's, unless the name alone told the format."""
    reader = format_module(name)
    for data in seeds(name):
        if reader.sniff(data[:HEAD], ""):
            error = ReadError("a layer has no size")
            assert kinds.identify(error, "net" + TARGETS[name].suffix, data[:HEAD], reader) is error


def test_networks_of_the_corpus_are_never_called_something_else(shared: Path) -> None:
    readers = [format_module(name) for name in FORMATS]
    looked_at = 0
    for path in sorted((shared / "corpus").rglob("*")):
        if not path.is_file() or path.parent.name in ("corpus", "oracles"):
            continue
        with path.open("rb") as file:
            head = file.read(HEAD)
        reader = next((each for each in readers if each.sniff(head, path.name)), None)
        if reader is not None:
            looked_at += 1
            error = ReadError("a layer has no size")
            assert kinds.identify(error, path.name, head, reader) is error, path
    assert looked_at > 400


def test_a_zip_archive_is_named_for_what_is_in_it(tmp_path: Path) -> None:
    archives = {
        "w.npz": (["conv1.npy", "conv2.npy"], "NumPy"),
        "m.zip": (["m/saved_model.pb", "m/variables/variables.index"], "SavedModel"),
        "m.mlpackage": (["Manifest.json", "Data/com.apple.CoreML/model.mlmodel"], "Core ML"),
        "m.pt2": (["m/archive_format", "m/models/model.json"], "torch.export"),
        "d.docx": (["[Content_Types].xml", "word/document.xml"], "document"),
        "x.whl": (["x/__init__.py", "x-1.dist-info/METADATA"], "package of Python"),
        "p.zip": (["readme.txt", "notes/a.txt"], "none of the files in it can be read"),
    }
    for name, (names, title) in archives.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for each in names:
                archive.writestr(each, b"\1\2\3\0")
        error = complaint(tmp_path / name)
        assert title in error.what
        assert names[0] in error.values
        assert error.hint


def test_npz_of_numpy(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    numpy.savez(tmp_path / "w.npz", a=numpy.zeros((2, 3)), b=numpy.zeros(5))
    assert "NumPy" in complaint(tmp_path / "w.npz").what
    numpy.save(tmp_path / "w.npy", numpy.array([{"a": 1}], dtype=object))
    assert "NumPy" in complaint(tmp_path / "w.npy").what


def test_a_program_of_torch_export(tmp_path: Path) -> None:
    """It holds example inputs, which torch.save wrote, in a file within the archive."""
    torch = pytest.importorskip("torch")
    program = torch.export.export(torch.nn.Linear(8, 4), (torch.zeros(1, 8),))
    torch.export.save(program, tmp_path / "m.pt2")
    assert "torch.export" in complaint(tmp_path / "m.pt2").what


def test_a_folder_is_named_and_a_file_in_it_proposed(tmp_path: Path) -> None:
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\1")
    assert "SavedModel" in complaint(tmp_path / "saved").what
    (tmp_path / "hub").mkdir()
    for name in ("tokenizer.json", "model.safetensors", "preprocessor_config.json"):
        (tmp_path / "hub" / name).write_bytes(b"{}")
    error = complaint(tmp_path / "hub")
    assert error.what == "this is a folder"
    assert error.hint == f"name a file in it: {tmp_path / 'hub' / 'model.safetensors'}"
    (tmp_path / "none").mkdir()
    assert complaint(tmp_path / "none").hint == "name a file in it"


def test_a_pipe_a_socket_and_a_device_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # a socket's path has at most 100 characters
        server.bind("socket")
        for path, kind in ((tmp_path / "pipe", "a pipe"), (tmp_path / "socket", "a socket")):
            assert kind in complaint(path).what
    assert "a device" in complaint(Path("/dev/zero")).what


def test_every_kind_is_plain_words() -> None:
    for table in (kinds.MISTAKEN, kinds.BEGINNINGS, kinds.TEXTS, kinds.MEMBERS, kinds.SUFFIXES):
        for pattern, title, step in table:
            re.compile(pattern)
            assert title.startswith(("a ", "an ", "the ", "source ", "variables", "arrays", "data ",
                                     "lines", "annotations", "MLIR", "LLVM")), title  # fmt: skip
            assert step
            assert not step.endswith(".")


@pytest.mark.parametrize(
    "part",
    [b"\n", b"\n\n\x12!", b"\n\x01\x12A\x22A", b"\x12\x80\x80", b" ", b"<!-- --> ", b"<?xml ",
     b'{"a":1}\n', b"a,", b"\t \n", b"op {\n", b"import ", b"a.npy\n", b"layer {",
     b"digraph a {", b"nc:\n"],
)  # fmt: skip
def test_no_pattern_takes_long(part: bytes) -> None:
    """What a hostile file begins with is matched in a time in proportion to its length."""
    head = (part * HEAD)[:HEAD]
    begun = time.process_time()
    kinds.identify(ReadError("no"), "net", head, None)
    kinds.of_archive("net", [head.decode("latin-1")])
    assert time.process_time() - begun < 2


def test_any_bytes_are_refused_in_words(tmp_path: Path) -> None:
    stream = io.BytesIO(bytes(range(7, 250)) * 3)
    (tmp_path / "net.bin").write_bytes(stream.getvalue())
    with pytest.raises(NettallyError, match="no format that nettally reads is recognised"):
        nettally.read(tmp_path / "net.bin")
