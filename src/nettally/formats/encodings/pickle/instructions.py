"""The instructions of pickles, as Python's Lib/pickletools.py describes each."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from .values import Dictionary, Global, Mark, Thing

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import State

MAX_NUMBER = 64
"""The longest number that is read, in bytes; a random generator's state may be longer."""

CONTAINER = 4
"""What a list, a tuple, a dictionary or an object costs, in values; with what is in them they take
more bytes than that in any pickle, and a hostile one has them by the million."""

NOT_READ = {
    105: "INST",
    111: "OBJ",
    80: "PERSID",
    130: "EXT1",
    131: "EXT2",
    132: "EXT4",
    151: "NEXT_BUFFER",
    152: "READONLY_BUFFER",
}
"""Instructions that torch.save never makes, by their names."""


def _constant(value: Any) -> Callable[[State], None]:
    return lambda m: m.stack.append(value)


def _sized(form: str) -> Callable[[State], None]:
    size = struct.calcsize(form)

    def step(m: State) -> None:
        m.stack.append(struct.unpack(form, m.take(size))[0])

    return step


def _counted(bytes_of_length: int, text: bool) -> Callable[[State], None]:
    def step(m: State) -> None:
        data = m.take(int.from_bytes(m.take(bytes_of_length), "little"))
        m.stack.append(data.decode("utf-8", "replace") if text else data)

    return step


def _long(bytes_of_length: int) -> Callable[[State], None]:
    def step(m: State) -> None:
        data = m.take(int.from_bytes(m.take(bytes_of_length), "little"))
        m.stack.append(
            int.from_bytes(data, "little", signed=True) if len(data) <= MAX_NUMBER else Mark
        )

    return step


def _number(m: State) -> None:
    line = m.line().strip()
    if line in (b"00", b"01"):
        m.stack.append(line == b"01")
        return
    digits = line.rstrip(b"L")
    if len(digits) > MAX_NUMBER:
        m.stack.append(Mark)
        return
    try:
        m.stack.append(int(digits))
    except ValueError:
        raise m.error("this is no number", f"{digits[:40]!r}") from None


def _float_line(m: State) -> None:
    line = m.line().strip()
    try:
        m.stack.append(float(line[:MAX_NUMBER]))
    except ValueError:
        raise m.error("this is no number", f"{line[:40]!r}") from None


def _text_line(m: State) -> None:
    m.stack.append(m.line().decode("utf-8", "replace").strip("'\""))


def _mark(m: State) -> None:
    m.marks.append(len(m.stack))


def _pop(m: State) -> None:
    if m.marks and m.marks[-1] == len(m.stack):
        m.marks.pop()
    else:
        m.stack.pop()


def _pop_mark(m: State) -> None:
    m.pop_mark()


def _duplicate(m: State) -> None:
    m.stack.append(m.stack[-1])


def _tuple(count: int) -> Callable[[State], None]:
    def step(m: State) -> None:
        if len(m.stack) < count:
            raise IndexError
        m.spend(CONTAINER)
        items = tuple(m.stack[len(m.stack) - count :])
        del m.stack[len(m.stack) - count :]
        m.stack.append(items)

    return step


def _tuple_to_mark(m: State) -> None:
    m.spend(CONTAINER)
    m.stack.append(tuple(m.pop_mark()))


def _new_list(m: State) -> None:
    m.spend(CONTAINER)
    m.stack.append([])


def _list_to_mark(m: State) -> None:
    m.spend(CONTAINER)
    m.stack.append(m.pop_mark())


def _new_dictionary(m: State) -> None:
    m.spend(CONTAINER)
    m.stack.append(Dictionary())


def _dictionary_to_mark(m: State) -> None:
    m.spend(CONTAINER)
    items = m.pop_mark()
    dictionary = Dictionary()
    dictionary.add(_paired(m, items))
    m.stack.append(dictionary)


def _paired(m: State, items: list[Any]) -> list[tuple[Any, Any]]:
    if len(items) % 2:
        raise m.error("a dictionary has a key without a value")
    return list(zip(items[::2], items[1::2], strict=True))


def _set_items(m: State, pairs: list[tuple[Any, Any]]) -> None:
    into = m.stack[-1]
    if not isinstance(into, (Dictionary, Thing)):
        raise m.error("the pickle sets items of what has none")
    into.add(pairs)


def _set_item(m: State) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    _set_items(m, [(key, value)])


def _set_items_to_mark(m: State) -> None:
    _set_items(m, _paired(m, m.pop_mark()))


def _extend(m: State, items: list[Any]) -> None:
    into = m.stack[-1]
    if isinstance(into, Thing):
        into.append(items)
    elif isinstance(into, list):
        into.extend(items)
    else:
        raise m.error("the pickle appends to what is no list")


def _append(m: State) -> None:
    value = m.stack.pop()
    _extend(m, [value])


def _append_to_mark(m: State) -> None:
    _extend(m, m.pop_mark())


_SET, _FROZEN_SET = Global("builtins", "set"), Global("builtins", "frozenset")


def _new_set(m: State) -> None:
    m.spend(CONTAINER)
    m.stack.append(Thing(_SET, ()))


def _frozen_set(m: State) -> None:
    m.spend(CONTAINER)
    thing = Thing(_FROZEN_SET, ())
    thing.append(m.pop_mark())
    m.stack.append(thing)


def _global(m: State) -> None:
    module, name = m.line(), m.line()
    m.stack.append(Global(module.decode("utf-8", "replace"), name.decode("utf-8", "replace")))


def _stack_global(m: State) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise m.error("a name is no text")
    m.stack.append(Global(module, name))


def _reduce(m: State) -> None:
    m.spend(CONTAINER)
    args, function = m.stack.pop(), m.stack.pop()
    m.stack.append(m.call(function, args))


def _new_object_with_names(m: State) -> None:
    m.spend(CONTAINER)
    names, args, maker = m.stack.pop(), m.stack.pop(), m.stack.pop()
    instance = m.call(maker, args)
    if isinstance(instance, Thing) and isinstance(names, Dictionary):
        m.spend(len(names.pairs))
        instance.add(names.pairs)
    m.stack.append(instance)


def _build(m: State) -> None:
    state, instance = m.stack.pop(), m.stack[-1]
    if isinstance(instance, Thing):
        instance.state = state


def _persistent(m: State) -> None:
    m.stack.append(m.load(m.stack.pop()))


def _get(bytes_of_index: int) -> Callable[[State], None]:
    def step(m: State) -> None:
        m.stack.append(m.memo.get(int.from_bytes(m.take(bytes_of_index), "little")))

    return step


def _put(bytes_of_index: int) -> Callable[[State], None]:
    def step(m: State) -> None:
        m.memo.put(int.from_bytes(m.take(bytes_of_index), "little"), m.stack[-1])

    return step


def _index(m: State) -> int:
    line = m.line().strip()
    if not line.isdigit() or len(line) > 12:
        raise m.error("this is no place of the memo", f"{line[:40]!r}")
    return int(line)


def _get_line(m: State) -> None:
    m.stack.append(m.memo.get(_index(m)))


def _put_line(m: State) -> None:
    m.memo.put(_index(m), m.stack[-1])


def _memoize(m: State) -> None:
    m.memo.put(len(m.memo), m.stack[-1])


def _protocol(m: State) -> None:
    protocol = m.take(1)[0]
    if protocol > 5:
        raise m.error("the pickle is of a protocol that is not read", f"{protocol}", "2 to 5 are")


def _frame(m: State) -> None:
    m.take(8)  # how long the frame is says nothing that the instructions do not


_STEPS: dict[str, Callable[[State], None]] = {
    "\x80": _protocol, "\x95": _frame, "N": _constant(None), "\x88": _constant(True),
    "\x89": _constant(False), "K": _sized("<B"), "M": _sized("<H"), "J": _sized("<i"),
    "G": _sized(">d"), "\x8a": _long(1), "\x8b": _long(4), "I": _number, "L": _number,
    "F": _float_line, "S": _text_line, "V": _text_line,
    "X": _counted(4, True), "\x8c": _counted(1, True), "\x8d": _counted(8, True),
    "T": _counted(4, True), "U": _counted(1, True), "B": _counted(4, False),
    "C": _counted(1, False), "\x8e": _counted(8, False), "\x96": _counted(8, False),
    "(": _mark, "0": _pop, "1": _pop_mark, "2": _duplicate, ")": _constant(()),
    "\x85": _tuple(1), "\x86": _tuple(2), "\x87": _tuple(3), "t": _tuple_to_mark,
    "]": _new_list, "l": _list_to_mark, "a": _append, "e": _append_to_mark,
    "}": _new_dictionary, "d": _dictionary_to_mark, "s": _set_item, "u": _set_items_to_mark,
    "\x8f": _new_set, "\x90": _append_to_mark, "\x91": _frozen_set, "c": _global,
    "\x93": _stack_global, "R": _reduce, "\x81": _reduce, "\x92": _new_object_with_names,
    "b": _build, "Q": _persistent, "h": _get(1), "j": _get(4), "q": _put(1), "r": _put(4),
    "g": _get_line, "p": _put_line, "\x94": _memoize,
}  # fmt: skip
"""The instructions that are read; those of protocol 0 that look up names are not."""

TABLE = {ord(sign): step for sign, step in _STEPS.items()}
