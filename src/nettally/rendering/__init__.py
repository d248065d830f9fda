"""Rendering: what was counted, checked and explained, as text for people and for programs.

Each function takes a noun and returns a string; nothing here prints, reads or decides.
"""
