"""Files that no reader takes, by what they are: a name for each kind, and what to do next.

Data, and one function over them. Nothing is parsed: a kind is known by how its files begin, what
stands in a text, the names of the files in a zip archive or a folder, or, last, by its own name.
It is imported only where a file was refused.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LISTED = 1000
"""How many files of a folder or an archive are looked at."""

READABLE = (".index.json", ".onnx", ".keras", ".tflite", ".safetensors", ".cfg", ".prototxt",
            ".pt", ".pth", ".caffemodel", ".h5", ".bin")  # fmt: skip
"""How the files of a folder end that are proposed, in this order."""


class Kind(NamedTuple):
    """title: what the file is, as it follows "this is". step: what to do next."""

    title: str
    step: str

    def complaint(self, name: str, values: str = "") -> ReadError:
        return ReadError(f"this is {self.title}", where=name, values=values, hint=self.step)


_DOWNLOAD = "download the model itself: the link to the file, and not to the page about it"
_TO_ONNX = "export the model to ONNX, which is read"
_NOT_A_NETWORK = "name the file that describes the network"
_UNPACK = "unpack it, and name the model in it"
_WITH_CODE = "name the code that builds the network: nettally tally package.module:factory"
_TF_TO_ONNX = "python -m tf2onnx.convert makes ONNX of it, which is read"
_PADDLE_TO_ONNX = "paddle2onnx makes ONNX of it, which is read"
_KERAS = "model.save('model.keras') or model.to_json() has the layers"
_WEIGHTS_ONLY = "name the file with the layers; this one has weights only"

# how a file in XML begins; a length in protobuf, a field with text, and a message
_XML = rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+)*+"
_L = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,4}[\x00-\x7f])"
_T = _L + rb"[ -~]{1,200}"

MISTAKEN: tuple[tuple[bytes, str, str], ...] = (
    (rb"(?:\x0a" + _T + rb")?\x12" + _L + rb"(?:[\x0a\x12\x1a]" + _L + rb"[!-~]{0,200}?){1,60}?\x22"
     + _L + rb"[A-Z][A-Za-z0-9]{1,60}(?!\x28)", "a net of Caffe2 (NetDef)",
     "Caffe2's own exporter makes ONNX of it; of networks from Caffe, name the prototxt"),
    (rb"(?=.*\bmodel_type\s*:|.*\bhyper_params\b)(?=.*^[ \t]*+(?:edge|layer)\s*\{)",
     "a net of convnet of Toronto (the successor of cuda-convnet)",
     "write it as one of our own files; see the page on formats"),
    (rb"(?=.*^[ \t]*+op\s*\{)(?=.*\b(?:external_input|external_output|type|device_option)\s*[:{])",
     "a net of Caffe2 (NetDef)", "Caffe2's own exporter makes ONNX of it, which is read"),
)  # fmt: skip
"""What a reader of another format may take for its own, by how the file begins."""

BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\s*\Z", "an empty file", "fetch or write it again; the disk may have been full"),
    (rb"\0{512}", "a file that begins with zeros only", "fetch it again; it was not written whole"),
    (rb"version https://git-lfs", "a pointer of Git LFS, and not the file that it stands for",
     "git lfs pull"),
    (rb"(?i)" + _XML + rb"<!?(?:doctype )?(?:html|head|body|title|script|meta)\b",
     "a web page (HTML), and not a model", _DOWNLOAD + "; a site may want you to sign in first"),
    (rb"(?i)" + _XML + rb"<error>", "the error page (XML) of a web store, and not a model",
     _DOWNLOAD + "; the store may have refused access"),
    (rb"(?i)\s*\{\s*\"(?:error|message|detail|code)\"\s*:\s*[\"\d]",
     "a web server's answer (JSON) that reports an error, and not a model", _DOWNLOAD),
    (rb"(?i)(?:Entry not found|Not Found|Access denied|Unauthorized|Forbidden|Invalid username)",
     "a web server's answer that reports an error, and not a model", _DOWNLOAD),
    # --- models of other tools, in binary
    (rb"(?:lmgg|tjgg|fmgg|algg)", "a GGML file of an old llama.cpp or whisper.cpp",
     "name the checkpoint or safetensors files that it was made of"),
    (rb"....ET\d\d", "a program of ExecuTorch (.pte)", "name the module it was exported from"),
    (rb"....PTMF", "a TorchScript module for mobile devices, as a flatbuffer",
     "save it in the zip format, or name the module it was made of"),
    (rb"....ORTM", "a model in ONNX Runtime's own format (.ort)",
     "name the .onnx file that it was made of"),
    (rb"....CIR0", "a model in Samsung ONE's Circle format", "name the .tflite it was made of"),
    (rb"(?:.{24})?[pf]trt", "an engine of TensorRT, compiled for one GPU",
     "name the ONNX file that it was built of"),
    (rb"IMOD", "a compiled model of Huawei's Ascend (.om)", "name the ONNX it was made of"),
    (rb"RKNN", "a compiled model of Rockchip (.rknn)", "name the ONNX it was made of"),
    (rb"\x01HEF", "a compiled model of Hailo (.hef)", "name the ONNX or TFLite it was made of"),
    (rb"LDMK", "a compiled model of Kendryte (.kmodel)", "name the TFLite it was made of"),
    (rb"CviModel", "a compiled model of Sophgo (.cvimodel)", "name the ONNX it was made of"),
    (rb"ML\xefR", "MLIR in bytecode (StableHLO, for example)", _TO_ONNX),
    (rb"BC\xc0\xde", "LLVM bitcode", _NOT_A_NETWORK),
    (rb"B\0C\0N\0", "a model of CNTK 1", _TO_ONNX),
    (rb"\x08\x01\x12" + _L + rb"\x0a" + _L + rb"[a-z_]{2,60}\x12", "a model of CNTK 2",
     _TO_ONNX),
    (rb"\x08[\x01-\x1f]\x12" + _L + rb"\x0a" + _L + rb"\x0a" + _T + rb"[\x12\x1a]",
     "a model of Core ML (.mlmodel)", "name the model that it was converted from"),
    (rb"\x08\x01\x12" + _L + rb"\x0a" + _L + rb"[\x0a\x12\x1a\x22\x2a\x32\x38]",
     "a SavedModel of TensorFlow", _TF_TO_ONNX),
    (rb"\x0a" + _L + rb"(?:\x0a" + _T + rb")?\x12" + (_L + rb"\x0a") * 2 + _L + rb"[A-Z_]",
     "a MetaGraph of TensorFlow (.meta)", _TF_TO_ONNX),
    (rb"\x0a" + _L + rb"\x0a" + _L + rb"[!-~]{1,300}?\x12" + _L + rb"_?[A-Z]\w",
     "a graph of TensorFlow (GraphDef: a frozen graph, for example)", _TF_TO_ONNX),
    (rb"\x0a" + _L + rb"\x08\x00\x10(?:\x00|\xff{4,9}[\x01\x0f])[\x1a\x22]",
     "a program of PaddlePaddle (.pdmodel)", _PADDLE_TO_ONNX),
    (rb"(?:\x08[\x01-\x7f])?\x10" + _L + rb"\x18" + _L + rb"\x20" + _L + rb"[\x2a\x2d\x32\x35]"
     rb"|[\x2a\x3a].{1,40}[\x2a\x3a]" + _L + rb"(?:\x0a|.{0,60}\Z)",
     "a blob of Caffe, such as a mean image (.binaryproto), and no network",
     "name the prototxt or the caffemodel"),
    (rb"\0{4}[\x01-\x05]\0{3}[\0-\x05]\0{3}",
     "a file of Darknet's weights, which does not name the layers",
     "name the .cfg file that belongs to it"),
    (rb"\x47\x6b\x30\x01|\x38\x4b\x0d\x00|\x56\xc0\x02\x00",
     "the weights of ncnn (.bin), which do not name the layers",
     "name the .param file that belongs to it"),
    (rb"\x12\x01\0{6}", "arrays of MXNet (.params), without the layers",
     "name the ONNX that mx2onnx makes of the model"),
    (rb"\0\0[\x01-\x40]\x08[\x01-\x7f](?:\x10.)?\x1a\x02\x08\x01",
     "the index of a TensorFlow checkpoint", _KERAS),
    (rb"[\x03\x04]\0{3}\x01\0{3}|[34]\n1\n3\nV 1", "a file of Torch 7 (Lua, .t7)",
     "load it with a tool such as torchfile, and export it to ONNX"),
    (rb"[\x80-\x8f\xde].{0,2}[\xa0-\xbf](?:params|batch_stats|step|model)",
     "variables of Flax, in msgpack", _WITH_CODE),
    (rb"\xba\x16\x4f\x2f", "a model of fastText", _NOT_A_NETWORK),
    (rb"\0B<", "a model of Kaldi", _TO_ONNX),
    (rb"\x93NUMPY", "an array of NumPy (.npy), without the layers", _WEIGHTS_ONLY),
    (rb"MATLAB", "a file of MATLAB (.mat)", _TO_ONNX),
    (rb"RD[XA]\d\n|X\n\0|A\n\d", "a file of R", _WEIGHTS_ONLY),
    (rb"HDF5-based Julia Data Format", "a file of Julia (.jld2)", _WEIGHTS_ONLY),
    (rb".{0,48}brain\.Event:2", "a log of TensorBoard", _NOT_A_NETWORK),
    (rb".{16}\xde\xc0\xef\xbe", "a database of LMDB, such as images for Caffe", _NOT_A_NETWORK),
    (rb"SQLite format 3", "a database of SQLite", _NOT_A_NETWORK),
    (rb"PAR1|ARROW1|FEA1|ORC", "a table of data (Parquet, Arrow or ORC)", _NOT_A_NETWORK),
    (rb"\xac\xed\0\x05", "a Java object, such as a model of Weka or DL4J", _TO_ONNX),
    (rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x04]", "an array in IDX, as MNIST's images are",
     _NOT_A_NETWORK + "; nettally data pack packs such images"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\0{4}|II\*\0|MM\0\*|RIFF....WEBP|....ftyp(?:avif|heic)"
     rb"|P[1-6]\s|" + _XML + rb"<svg",
     "a picture, and no description of a network", _NOT_A_NETWORK),
    (rb"RIFF|....ftyp|ID3|OggS|fLaC|\x1aE\xdf\xa3", "a recording of sound or video",
     _NOT_A_NETWORK),
    (rb"%PDF", "a PDF document", _NOT_A_NETWORK),
    (rb"%!PS|\{\\rtf|\xd0\xcf\x11\xe0", "a document", _NOT_A_NETWORK),
    (rb"\x7fELF|MZ|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe", "a program or a library", _WITH_CODE),
    # --- packings that are not opened
    (rb"7z\xbc\xaf\x27\x1c|Rar!", "an archive (7z or RAR)", _UNPACK),
    (rb"\xfd7zXZ\0|\x5d\0\0", "a file compressed with xz", "xz --decompress --keep FILE"),
    (rb"\x28\xb5\x2f\xfd", "a file compressed with zstd", "zstd -d FILE"),
    (rb"\x04\x22\x4d\x18", "a file compressed with lz4", "lz4 -d FILE"),
    (rb"x[\x01\x5e\x9c\xda]", "data compressed with zlib, such as a model of joblib", _TO_ONNX),
    (rb".{257}ustar", "a tar archive", "tar -xf FILE, and name the model in it"),
)  # fmt: skip
"""How files begin, as patterns: the first that fits is the kind."""

TEXTS: tuple[tuple[bytes, str, str], ...] = (
    (_XML + rb"<net\s[^>]*>", "a network in OpenVINO's IR (.xml)",
     "name the model that it was converted from"),
    (_XML + rb"<PMML", "a model in PMML", _TO_ONNX),
    (rb"\s*<\?xml", "a file in XML", _NOT_A_NETWORK),
    (rb"\s*<Nnet|<TransitionModel>", "a model of Kaldi", _TO_ONNX),
    (rb"\"?\d+ \d+ \d+ 4206624770", "a network of TNN (.tnnproto)",
     "name the ONNX that it was converted from"),
    (rb"HloModule |(?=.*^[ \t]*+(?:func\.func|stablehlo\.|module @))", "a program in MLIR or HLO",
     _TO_ONNX),
    (rb"\s*\{(?=.*\"nbformat\")", "a notebook of Jupyter",
     "write the network into a module, and name it: nettally tally file.py:Class"),
    (rb"\s*\{(?=.*\"(?:tokenizer_class|added_tokens|added_tokens_decoder)\")",
     "the tokenizer of a language model, and no network", "name the model's safetensors files"),
    (rb"\s*\{(?=.*\"peft_type\")", "the configuration of an adapter (PEFT)",
     "name adapter_model.safetensors"),
    (rb"\s*\{(?=.*\"_diffusers_version\")", "a configuration of diffusers",
     "name the model's safetensors files"),
    (rb"\s*\{(?=.*\"mxnet_version\"|.*\"nodes\".*\"arg_nodes\")", "a network of MXNet or TVM",
     "mx2onnx makes ONNX of MXNet's, which is read"),
    (rb"\s*\[\s*\{(?=.*\"(?:paths|weights)\")", "a manifest of weights of TensorFlow.js",
     "name the model.json of a layers model, which has the layers"),
    (rb"\s*\{(?=.*\"(?:model_type|architectures|transformers_version)\")",
     "a configuration of a model of Hugging Face's transformers",
     "name the model's safetensors files, or the module: "
     "nettally tally package.module:factory"),
    (rb"\s*\{(?=.*\"(?:do_normalize|image_processor_type|bos_token_id|eos_token_id)\")",
     "a setting of Hugging Face's transformers, and no network",
     "name the model's safetensors files"),
    (rb"\s*\{(?=.*\"learner\")", "a model of XGBoost, which is no neural network", _NOT_A_NETWORK),
    (rb"tree\nversion=", "a model of LightGBM, which is no neural network", _NOT_A_NETWORK),
    (rb"\s*\{(?=.*\"annotations\"|.*\"categories\")", "annotations of images (COCO)",
     _NOT_A_NETWORK),
    (rb"\s*\{[^\n]*\}\s*\n\s*\{", "lines of JSON, such as a log", _NOT_A_NETWORK),
    (rb"(?=.*^nc\s*:|.*^scales\s*:)(?=.*^(?:backbone|head)\s*:)",
     "a YOLO network as Ultralytics writes it",
     "name it as code: nettally tally package.module:factory, or export it to ONNX"),
    (rb"(?=.*^(?:_base_|META_ARCHITECTURE|MODEL)\s*:)",
     "a configuration of a detection library (Detectron2 or MMDetection)", _WITH_CODE),
    (rb"(?=.*^[ \t]*+node\s*\{)(?=.*\bop\s*:)", "a graph of TensorFlow in text (GraphDef)",
     _TF_TO_ONNX),
    (rb"(?=.*^[ \t]*+(?:saved_model_schema_version|meta_graphs)\b)",
     "a SavedModel of TensorFlow in text", _TF_TO_ONNX),
    (rb"(?=.*^[ \t]*+(?:train_config|eval_config)\b)",
     "the configuration of a TensorFlow detection pipeline", _TF_TO_ONNX),
    (rb"(?=.*\b(?:max_batch_size|instance_group)\b)(?=.*\b(?:platform|backend)\b)",
     "a configuration of Triton's server", "name the model that stands beside it"),
    (rb"(?=.*^[ \t]*+item\s*\{)(?=.*\bid\s*:)", "a list of classes (a label map)", _NOT_A_NETWORK),
    (rb"model_checkpoint_path\s*:", "a list of TensorFlow's checkpoints", _KERAS),
    (rb"(?=.*^[ \t]*+eps[WB]\s*=)", "a file of cuda-convnet's learning rates, for training",
     "name the file with the layers, and this one with --params FILE"),
    (rb"(?=.*^[ \t]*+(?:train|valid|names|backup)\s*=)(?=.*^[ \t]*+classes\s*=)",
     "a .data file of Darknet, which names the images", "name the .cfg file"),
    (rb"(?=.*^[ \t]*+(?:#include|extern |const |static |unsigned char))(?=.*[{;])",
     "source code in C, such as weights as an array", "name the model that it was made of"),
    (rb"(?=.*^(?:(?:from\s+[\w.]+\s+)?import\s+\w|def\s+\w+\(|class\s+\w+))",
     "source code in Python", "name the class or the function in it: nettally tally FILE:Class"),
    (rb"\s*(?:di)?graph\s*\w*\s*\{(?=.*->|.*--)", "a drawing of a graph (Graphviz)",
     "name the model that was drawn"),
    (rb"(?:[\w./ -]+[,\t]){2,}[\w./ -]+\r?\n", "a table (CSV or TSV)", _NOT_A_NETWORK),
)  # fmt: skip
"""What stands in texts, asked where a file has no byte that a text has not."""

MEMBERS: tuple[tuple[bytes, str, str], ...] = (
    (rb"(?=.*\.npy$)(?!.*^[^\n]+(?<!\.npy)$)", "a .npz file of NumPy's arrays, without the layers",
     _WEIGHTS_ONLY),
    (rb"(?=.*saved_model\.pb(?:txt)?$)", "a SavedModel of TensorFlow", _TF_TO_ONNX),
    (rb"(?=.*(?:\.mlmodel|model\.mil|coremldata\.bin)$)", "a model of Core ML (.mlpackage)",
     "name the model that it was converted from"),
    (rb"(?=.*(?:serialized_exported_program\.json|archive_format|models/model\.json)$)",
     "a program of torch.export (.pt2)", _WITH_CODE),
    (rb"(?=.*MAR-INF/)", "a model archive of TorchServe (.mar)", _UNPACK),
    (rb"(?=.*(?:coefficients\.bin|configuration\.json)$)", "a model of DL4J", _TO_ONNX),
    (rb"(?=.*(?:model\.params|dlc\.metadata)$)", "a model of Qualcomm's SNPE (.dlc)",
     "name the ONNX that it was made of"),
    (rb"(?=.*\[Content_Types\]\.xml)", "a document of an office program", _NOT_A_NETWORK),
    (rb"(?=.*META-INF/MANIFEST\.MF|.*AndroidManifest\.xml)", "a program (.jar or .apk)", _UNPACK),
    (rb"(?=.*\.dist-info/)", "a package of Python (.whl)",
     "install it, and name its code: nettally tally package.module:factory"),
    (rb"(?=.*(?:_CHECKPOINT_METADATA|_METADATA|checkpoint|manifest\.ocdbt)$)",
     "a checkpoint of Orbax or Flax", _WITH_CODE),
    (rb"(?=.*\.data-\d+-of-\d+$)", "a checkpoint of TensorFlow, without the layers", _KERAS),
    (rb"(?=.*\.pdmodel$)", "a model of PaddlePaddle", _PADDLE_TO_ONNX),
    (rb"(?=.*tokenizer\.json$)", "the folder of a language model", _UNPACK),
)  # fmt: skip
"""The names of the files in an archive, or in a folder, one a line."""

SUFFIXES: tuple[tuple[bytes, str, str], ...] = (
    (rb".*\.(?:trt|engine|plan)\Z", "an engine of TensorRT, by its name",
     "name the ONNX file that it was built of"),
    (rb"(?:.*\.onnx[._]data|.*\.onnx\.weights)\Z", "the weights of an ONNX model, by its name",
     "name the .onnx file that lies beside it"),
    (rb"(?:.*\.data-\d+-of-\d+|.*\.ckpt\.(?:index|meta))\Z",
     "a part of a TensorFlow checkpoint, by its name", _KERAS),
    (rb".*\.(?:md|rst)\Z", "a text for readers, by its name", _NOT_A_NETWORK),
    (rb".*\.mnn\Z", "a model of MNN, by its name", "name the ONNX that it was converted from"),
    (rb".*\.(?:nb|pdiparams|pdparams|pdopt)\Z", "a file of PaddlePaddle, by its name",
     _PADDLE_TO_ONNX),
    (rb".*\.tmfile\Z", "a model of Tengine, by its name", "name the ONNX it was converted from"),
    (rb".*\.uff\Z", "a model in TensorRT's UFF, by its name", _TF_TO_ONNX),
    (rb".*\.dlc\Z", "a model of Qualcomm's SNPE, by its name", "name the ONNX it was made of"),
    (rb".*\.(?:names|labels)\Z", "a list of classes, by its name", _NOT_A_NETWORK),
    (rb".*\.weights\Z", "a file of weights, by its name", "name the .cfg or .json with the layers"),
)  # fmt: skip
"""Names, of files whose beginning says nothing."""


def identify(error: ReadError, name: str, head: bytes, reader: Any) -> ReadError:
    """The complaint about a file that says what it is; ``error`` itself where that is not known.

    name: what the user calls the file. head: its first bytes. reader: the format that took it and
    raised the error; None where none did. What a reader knows by more than the name is its own.
    """
    kind = _first(MISTAKEN, head)
    if kind is None and (reader is None or not reader.sniff(head, "")):
        kind = _first(BEGINNINGS, head)
        if kind is None and b"\0" not in head:
            kind = _first(TEXTS, head.removeprefix(b"\xef\xbb\xbf"))
        if kind is None and reader is None:
            kind = _first(SUFFIXES, os.path.basename(name).lower().encode("utf-8", "replace"))
    values = f"it begins {head[:24]!r}" if head else "0 bytes"
    return error if kind is None else kind.complaint(name, values)


def of_archive(name: str, members: Collection[str], error: ReadError | None = None) -> ReadError:
    """The complaint about a zip archive in which there is nothing to read.

    error: what a reader says of it, where it is not known what it is.
    """
    names = "\n".join(islice(members, MAX_LISTED)).encode("utf-8", "replace")
    kind = _first(MEMBERS, names)
    if kind is None and error is not None:
        return error
    kind = kind or Kind("a zip archive, and none of the files in it can be read", _UNPACK)
    return kind.complaint(name, _first_names(members))


def of_folder(path: str) -> ReadError:
    """The complaint about a folder, with a file of it that can be read, perhaps."""
    try:
        names = sorted(os.listdir(path))[:MAX_LISTED]
    except OSError:
        names = []
    kind = _first(MEMBERS, "\n".join(names).encode("utf-8", "replace"))
    file = next((each for end in READABLE for each in names if each.endswith(end)), "")
    step = f"name a file in it: {os.path.join(path, file)}" if file else "name a file in it"
    kind = Kind("a folder", step) if kind is None or file else kind
    return kind.complaint(path)


def _first_names(names: Collection[str]) -> str:
    shown = ", ".join(each[:60] for each in islice(names, 6))
    return "it has " + (
        f"{shown} and {len(names) - 6:,} more" if len(names) > 6 else shown or "no files"
    )


def _first(table: tuple[tuple[bytes, str, str], ...], data: bytes) -> Kind | None:
    for pattern, title, step in table:
        if re.compile(pattern, re.DOTALL | re.MULTILINE).match(data):
            return Kind(title, step)
    return None
