"""What a run has learnt, as pictures and as files: kernels, maps, guesses, nearest images."""
