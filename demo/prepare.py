#!/usr/bin/env python3
"""Makes what the demo needs, once, in the folder given: models, inputs and class names.

The emotion classifier comes as it is from the package fer (saved by Keras 2.0.5); the face is in
skimage.data.astronaut(). VGG16 is built by Keras with random weights, as no trained ones travel in packages.
"""
import pathlib
import shutil
import sys

import numpy
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = next((ROOT / ".deps" / "demo" / "lib").glob("python3*")) / "site-packages"
FACE = (165, 60, 285, 180)  # left, top, right, bottom of the face in the photograph


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "ready").exists():
        return
    shutil.copy(PACKAGES / "fer" / "data" / "emotion_model.hdf5", folder)
    (folder / "emotions.txt").write_text("angry\ndisgust\nfear\nhappy\nsad\nsurprise\nneutral\n")

    photograph = Image.open(PACKAGES / "skimage" / "data" / "astronaut.png").convert("RGB")
    face = photograph.crop(FACE).convert("L").resize((64, 64), Image.Resampling.BILINEAR)
    # The scaling the model was trained with: grey levels from -1 to 1.
    pixels = (numpy.asarray(face, numpy.float32) / 255 - 0.5) * 2
    numpy.save(folder / "face.npy", pixels.reshape(1, 64, 64, 1))

    picture = photograph.resize((224, 224), Image.Resampling.BILINEAR)
    # VGG16's own preprocessing: blue, green, red, each less its mean over ImageNet.
    scaled = numpy.asarray(picture, numpy.float32)[None, :, :, ::-1] - numpy.float32([103.939, 116.779, 123.68])
    numpy.save(folder / "astronaut.npy", scaled)

    import keras

    keras.utils.set_random_seed(16)
    keras.applications.VGG16(weights=None).save(folder / "vgg16.keras")
    (folder / "ready").touch()


if __name__ == "__main__":
    main()
