"""Accountings: whose convention a count follows, as sourced data, and what tools print for modules.

``Accounting`` and the registry stand below the counting (``counting.accounting``); what is here
fills it when an accounting is first asked for.
"""

from __future__ import annotations

from ..counting.accounting import ACCOUNTINGS, Accounting, accounting, register

__all__ = ["ACCOUNTINGS", "Accounting", "accounting", "register"]
