"""VGG16 saved by the real Keras, two pictures for it and Keras's answers."""
import keras
import numpy

keras.utils.set_random_seed(7)
model = keras.applications.VGG16(weights=None)
model.save("vgg16.keras")
pictures = numpy.random.default_rng(7).uniform(0, 255, (2, 224, 224, 3)).astype("float32")
numpy.save("in.npy", pictures)
numpy.save("keras.npy", model.predict(pictures, verbose=0))
