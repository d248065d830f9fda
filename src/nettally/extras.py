"""The extras of nettally: which libraries each one installs, and how a user asks pip for it.

They are those of ``[project.optional-dependencies]`` that a command may need; a test compares the
two. Nothing here imports a library.
"""

from __future__ import annotations

from .errors import NettallyError

EXTRAS = {
    "torch": ("torch",),
    "figures": ("cairosvg", "cairocffi"),
    "tensorboard": ("tensorboard",),
    "train": ("torch", "lightning_fabric", "torchmetrics", "numpy", "PIL", "sklearn"),
}
"""Each extra, and the top-level modules that Python finds when it is installed."""

PACKAGES = {
    "PIL": "Pillow",
    "cairosvg": "CairoSVG",
    "lightning_fabric": "lightning-fabric",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
"""What a package is called where that is not the name of its module."""


def to_install(extra: str, otherwise: str = "") -> str:
    """How an extra is installed, from an index and in a checkout. otherwise: another way out."""
    words = f"pip install 'nettally[{extra}]' (in a checkout: pip install -e '.[{extra}]')"
    return f"{words}, or {otherwise}" if otherwise else words


def missing_library(error: ImportError, command: str = "", extra: str = "") -> NettallyError | None:
    """The complaint about a library that can't be imported; None where the fault is another.

    command: what was asked for, for the message. extra: the one that the command needs; without
    it, the first that has the library.
    """
    module = (error.name or "").partition(".")[0]
    if not module or module == __package__:
        return None
    if module not in EXTRAS.get(extra, ()):
        extra = next((name for name, modules in EXTRAS.items() if module in modules), "")
    package = PACKAGES.get(module, module)
    subject = f"{command} needs {package}" if command else f"{package} is needed for this"
    hint = to_install(extra) if extra else f"pip install {package}"
    if isinstance(error, ModuleNotFoundError) and error.name == module:
        return NettallyError(f"{subject}, which is not installed", hint=hint)
    reason = str(error).partition("\n")[0]
    return NettallyError(f"{subject}, which can't be imported here", values=reason, hint=hint)
