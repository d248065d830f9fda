"""Which torch functions the handlers answer for, and what tensors say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from ...errors import ReadError
from . import (
    activations,
    constants,
    conversions,
    elementwise,
    indexing,
    normalization,
    recurrent,
    reductions,
    reshaping,
    weights,
    windows,
)
from .shadow import BY_FUNCTION, METHODS, NATIVE, Answer, Current, Handler, Shadow, shadow

if TYPE_CHECKING:
    from .following import Following

FAMILIES = (
    activations,
    constants,
    conversions,
    elementwise,
    indexing,
    normalization,
    recurrent,
    reductions,
    reshaping,
    weights,
    windows,
)
"""The files of handlers: to import them is to register theirs."""

BENEATH = torch._C._nn  # pyright: ignore[reportAttributeAccessIssue] - it has no stub
SPACES = {
    "F": functional,
    "torch": torch,
    "Tensor": torch.Tensor,
    "torch._C._nn": BENEATH,
    "torch.special": torch.special,
}
"""Where torch's functions are, by what one writes before their names."""

VIEWS = frozenset(
    ("transpose", "t", "permute", "swapaxes", "swapdims", "movedim", "moveaxis", "expand",
     "expand_as", "broadcast_to", "narrow", "select", "__getitem__", "unbind", "split", "chunk",
     "split_with_sizes", "tensor_split", "squeeze", "unsqueeze", "view", "reshape", "flatten",
     "unflatten", "view_as", "contiguous", "to", "clone", "T", "mT", "H", "mH", "unfold",
     "diagonal")
)  # fmt: skip
"""Functions whose result lies in the memory of their argument."""

SIGNS = {
    "add": "__add__", "sub": "__sub__", "mul": "__mul__", "div": "__truediv__", "pow": "__pow__",
    "remainder": "__mod__", "matmul": "__matmul__", "neg": "__neg__", "ne": "__ne__",
    "lt": "__lt__", "le": "__le__", "gt": "__gt__", "ge": "__ge__", "add_": "__iadd__",
    "sub_": "__isub__", "mul_": "__imul__", "div_": "__itruediv__", "pow_": "__ipow__",
    "remainder_": "__imod__", "floor_divide_": "__ifloordiv__",
}  # fmt: skip
"""Operators that torch calls by a method's name. Tools that patch methods tell them apart."""

_prepared = False


def prepare() -> None:
    """Find the functions that bear the handlers' names."""
    global _prepared  # noqa: PLW0603 - once a process, and only when a module is read
    if _prepared:
        return
    for name, handler in METHODS.items():
        _stands_for(name, handler)
        if not name.startswith("__") and name + "_" not in METHODS:
            _stands_for(name + "_", _in_place(handler))
    _register(torch.linalg.norm, BY_FUNCTION[torch.norm])
    # torch.sparse.mm is another function than torch.mm, and does the same
    matmul = Answer(METHODS["matmul"], {"call": "torch.sparse.mm"}, False, False)
    _register(torch.sparse.mm, matmul)
    _register(torch.linalg.matmul, BY_FUNCTION[torch.matmul])
    for name, turned in TURNED.items():
        written = {"call": f"Tensor.{name}"}
        _register(getattr(torch.Tensor, name).__get__, Answer(turned, written, False, True))
    for names, answer in SAYS.items():
        for name in names.split():
            _says(name, answer)
    _prepared = True


def _stands_for(name: str, handler: Handler) -> None:
    """Let the handler answer for the functions and the method of that name."""
    changes = _changes_its_first(name)
    for title, space in SPACES.items():
        function = getattr(space, name, None)
        if callable(function):
            written = {"call": f"{title}.{name}"}
            sign = None
            if space is torch.Tensor and (sign_name := SIGNS.get(name)):
                sign = {"call": f"Tensor.{sign_name}"}
            _register(function, Answer(handler, written, changes, name in VIEWS, sign))


def _register(function: Any, answer: Any) -> None:
    BY_FUNCTION.setdefault(function, answer)


def _in_place(handler: Handler) -> Handler:
    def in_place(input: Any, *args: Any, **kwargs: Any) -> Any:
        result = handler(input, *args, **kwargs)
        if not isinstance(input, Shadow) or not isinstance(result, Shadow) or result is input:
            return result
        nodes = Current.trace.nodes
        if nodes and nodes[-1].name == result.name:
            Current.trace.says(inplace=True)
        return input.become(result)

    return in_place


def _changes_its_first(name: str) -> bool:
    """Whether the function of that name works in place: ``add_``, ``__iadd__``."""
    if name.startswith("__"):
        return name == "__setitem__" or (
            name[2:3] == "i" and name not in ("__invert__", "__int__", "__index__")
        )
    return name.endswith("_")


TURNED = {
    "T": reshaping.t,
    "H": reshaping.t,
    "mT": reshaping.turned_matrices,
    "mH": reshaping.turned_matrices,
}
"""Attributes that are another view of the tensor."""


# --- what a tensor says of itself ---------------------------------------------------------------


def _says(name: str, answer: Any) -> None:
    """Let the answer be given by the attribute, the method and the functions of that name."""
    for space in SPACES.values():
        thing = getattr(space, name, None)
        if thing is None or isinstance(thing, type):
            continue
        function = thing if callable(thing) else getattr(thing, "__get__", None)
        if function is not None:
            BY_FUNCTION[function] = answer(function)


def _native(function: Any) -> Any:
    """As torch has it, since a stand-in has the sizes and the dtype itself."""
    return NATIVE


def _laid(function: Any) -> Any:
    """The same, once the stand-in lies in memory as torch would have it."""

    def laid(following: Following, x: Any, *args: Any, **kwargs: Any) -> Any:
        return function(_as_torch_lays(following, x), *args, **kwargs)

    return laid


def _as_torch_lays(following: Following, tensor: Any) -> Any:
    """A tensor without values, laid out by the calls that made this one."""
    from .fallback import mapped

    x = tensor.__dict__.get(following.key) if isinstance(tensor, torch.Tensor) else None
    if x is None or x.laid is None or following.values:
        return tensor
    func, args, kwargs, place = x.laid

    def laid_out(each: Any) -> Any:
        return _as_torch_lays(following, each)

    try:
        result = func(*mapped(args, laid_out), **mapped(kwargs or {}, laid_out))
    except (RuntimeError, NotImplementedError, TypeError):
        return tensor
    if place is not None:
        tensors: list[torch.Tensor] = []
        mapped(result, tensors.append)
        result = tensors[place] if place < len(tensors) else tensor
    same = isinstance(result, torch.Tensor) and tuple(result.shape) == x.sizes
    return result if same else tensor


def _place(following: Following, x: torch.Tensor) -> torch.device:
    """Where the forward is told that a tensor is."""
    known = x.__dict__.get(following.key)
    return x.device if not x.is_meta or (known and known.on_meta) else following.trace.device


def _where(function: Any) -> Any:
    return _place


def _on(function: Any) -> Any:
    kind = getattr(getattr(function, "__self__", None), "__name__", "").removeprefix("is_")

    def on(following: Following, x: torch.Tensor) -> Any:
        return _place(following, x).type == kind

    return on


def _pickled(function: Any) -> Any:
    """A tensor of the same sizes, without what we know of it."""

    def pickled(following: Following, x: torch.Tensor, *args: Any) -> Any:
        return function(torch.empty_like(x, device="meta"), *args)

    return pickled


def _data(function: Any) -> Any:
    """Another tensor of the same values: what is done to one is done to the other."""

    def data(following: Following, tensor: Any, *_: Any) -> Any:
        x = following.shadow_of(tensor)
        if following.values and x.value is not None:
            return following.known_as(x.value.detach(), x)
        return following.handle(x)

    return data


def _become(following: Following, tensor: torch.Tensor, new: Any) -> None:
    """``x.data = y``."""
    x, y = following.shadow_of(tensor), following.shadow_of(new)
    learned = x.name is None and y.name is None and y.stored is None and y.value is None
    x.become(y)
    if not learned and y.name is None and y.stored is not None:
        x.stored = y.stored
    if following.values and y.value is not None:
        x.value = y.value.detach()
    if id(tensor) not in following.live:
        blank = x.value if following.values else following.handle(x)
        torch.Tensor.data.__set__(tensor, blank)  # type: ignore[attr-defined] - a getset


def _number(function: Any) -> Any:
    """What needs the tensor's values, and gives no tensor."""
    name = getattr(function, "__name__", "")
    asked = {"__bool__": "as a condition", "__index__": "as an index", "numpy": "numpy()",
             "__array__": "an array of numpy", "__contains__": "'in'"}.get(name)  # fmt: skip
    if asked is None:
        asked = "as a number" if name.startswith("__") else f"{name}()"

    def number(following: Following, x: Any, *args: Any, **kwargs: Any) -> Any:
        value = following.shadow_of(x).known(asked)
        if name in ("numpy", "__array__"):  # which would share the memory
            value = value.clone()
        return function(value, *args, **kwargs)

    return number


def _repr(function: Any) -> Any:
    def text(following: Following, x: Any, *args: Any, **kwargs: Any) -> Any:
        known = following.shadow_of(x)
        if known.value is None:
            return repr(known)
        return function(known.value, *args, **kwargs)

    return text


def _deep(function: Any) -> Any:
    def deep(following: Following, x: Any, memo: Any) -> Any:
        known = following.shadow_of(x)
        copied = shadow(known.sizes, known.name, known.kind, known.value)
        if known.value is not None:
            copied.value = known.value.clone()
        copied.stored, copied.later = known.stored, known.later
        if following.values and copied.value is not None:
            twin = following.known_as(copied.value.detach(), copied)
        else:
            twin = following.handle(copied)
        memo[id(x)] = twin
        return twin

    return deep


def _nothing(function: Any) -> Any:
    def nothing(following: Following, *_: Any, **__: Any) -> None:
        """No gradient comes this way."""

    return nothing


def _backward(function: Any) -> Any:
    def backward(following: Following, *_: Any, **__: Any) -> None:
        raise ReadError(
            "the forward calls backward(), and there are no values to take gradients of",
            hint="give a module whose forward is only the forward",
        )

    return backward


def _address(function: Any) -> Any:
    def address(following: Following, x: torch.Tensor) -> int:
        return id(following.shadow_of(x))

    return address


SAYS: dict[str, Any] = {
    "shape ndim dtype size dim ndimension numel nelement element_size itemsize nbytes is_leaf "
    "requires_grad requires_grad_ grad grad_fn layout names is_floating_point is_complex is_signed "
    "is_sparse is_sparse_csr is_quantized is_nested is_mkldnn is_inference is_conj is_neg _version "
    "output_nr has_names _backward_hooks is_shared __len__ untyped_storage _is_view "
    "is_same_size retains_grad is_vulkan is_xla is_mps is_maia is_ipu is_hpu is_mtia": _native,
    "stride is_contiguous storage_offset is_coalesced": _laid,
    "device": _where,
    "is_cuda is_cpu is_meta is_xpu": _on,
    "data detach detach_": _data,
    "item tolist numpy __array__ __bool__ __int__ __float__ __index__ __complex__ "
    "__contains__": _number,
    "__repr__ __format__ __str__": _repr,
    "__deepcopy__": _deep,
    "__reduce_ex__ __reduce__": _pickled,
    "register_hook retain_grad register_post_accumulate_grad_hook": _nothing,
    "backward": _backward,
    "data_ptr": _address,
}  # fmt: skip
"""What a tensor says of itself, by the names of the attributes and methods."""

BY_FUNCTION[torch.Tensor.data.__set__] = _become  # type: ignore[attr-defined] - a getset
for _name in ("requires_grad", "grad"):
    _set = getattr(torch.Tensor, _name).__set__
    BY_FUNCTION[_set] = _native(_set)
