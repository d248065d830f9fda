"""What a pickle says, without doing it: no name in it is looked up, nothing is called.

A pickle is a program for a machine with a stack and a memo (Python's Lib/pickletools.py describes
each instruction). Here the machine knows only data: text, numbers, lists, tuples, dictionaries.
Where a pickle calls something, a few of torch's functions are known by their names and replaced by
a description of the tensor that they would make; any other call is kept as a ``Thing``.
"""

from __future__ import annotations

from .machine import MAX_PICKLE, Machine
from .values import Dictionary, Global, Mark, Thing, words_for

__all__ = ["MAX_PICKLE", "Dictionary", "Global", "Machine", "Mark", "Thing", "words_for"]
