"""The network runs: its torch module, its weights in and out, and what its layers need.

All that is here imports torch; nothing of the counting imports this.
"""
