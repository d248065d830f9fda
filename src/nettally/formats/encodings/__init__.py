"""How files are written: encodings that several formats share.

They know neither networks nor layers.
"""
