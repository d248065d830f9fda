"""Images from folders, tars, idx files and CIFAR's batches into shards of raw bytes.

Nothing here imports torch: the processes that decode images need numpy and Pillow only.
"""
