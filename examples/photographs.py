"""128 crops of 16 photographs that scikit-image and scikit-learn bring with them, as PNG files.

python examples/photographs.py OUT makes OUT/NAME/0.png to 7.png, 224x224, one class a photograph:
what AlexNet learns by heart in docs/training.md. Needs scikit-image and scikit-learn.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import skimage
import sklearn.datasets
from PIL import Image

SIDE, EACH = 224, 8
OF_SKIMAGE = (
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png"),
    *("coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png"),
    *("moon.png", "motorcycle_left.png"),
)
OF_SKLEARN = ("china.jpg", "flower.jpg")


def main(out: Path) -> None:
    """Write the crops: squares of 60 to 100 % of the shorter side, at random places."""
    chance = random.Random(0)
    folders = {name: Path(skimage.__file__).parent / "data" for name in OF_SKIMAGE}
    folders |= {name: Path(sklearn.datasets.__file__).parent / "images" for name in OF_SKLEARN}
    for name, folder in folders.items():
        image = Image.open(folder / name).convert("RGB")
        into = out / Path(name).stem
        into.mkdir(parents=True, exist_ok=True)
        for number in range(EACH):
            side = round(min(image.size) * chance.uniform(0.6, 1))
            left, top = (chance.randint(0, length - side) for length in image.size)
            crop = image.crop((left, top, left + side, top + side))
            crop.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(into / f"{number}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
