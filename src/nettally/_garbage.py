"""Rest for the garbage collector while much is made that stays."""

from __future__ import annotations

import gc


class Resting:
    """Make objects by the hundred thousand without the collector's looking at them.

    None of them is garbage, and looking for it takes as long again as making them. Afterwards they
    are as objects that have stayed for long, which are rarely looked at.
    """

    def __init__(self, rests: bool = True) -> None:
        self.rests = rests and gc.isenabled()

    def __enter__(self) -> None:
        if self.rests:
            gc.disable()

    def __exit__(self, *_: object) -> None:
        if self.rests:
            if not gc.get_freeze_count():  # else what the program itself froze would thaw
                gc.freeze()
                gc.unfreeze()
            gc.enable()
