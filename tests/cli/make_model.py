"""The small classifier with a branch, an input for it, Keras's answer and names of its classes."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import small_model

small_model.save("small.keras", 2, "in.npy", "keras.npy", branch=True)
pathlib.Path("classes.txt").write_text("cat\ndog\ncow\nowl\n")
