"""Training: recipes, the loop, runs that can be stopped and taken up, tests of what was learnt."""
