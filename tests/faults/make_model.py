"""The small classifier without a branch, sixteen inputs for it and Keras's answers."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import small_model

small_model.save("model.keras", 16, "inputs.npy", "answers.npy", branch=False)
