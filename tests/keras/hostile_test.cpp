// Files that are damaged or made to do harm: reading them is an Error, never a crash, a hang or much memory.
#include "base/error.h"
#include "base/file.h"
#include "keras/keras_files.h"
#include "keras/reader.h"
#include "support/python.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Each writes OUT/NAME.keras or .h5 out of the good files in IN, with one thing wrong.
constexpr const char* kScript = R"(
import copy, io, json, pathlib, struct, sys, zipfile
import h5py, numpy

source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(name, parts, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(out / f"{name}.keras", "w", method) as archive:
        for part, data in parts if isinstance(parts, list) else parts.items():
            archive.writestr(part, data)


small, nested = members(source / "small.keras"), members(source / "nested.keras")


def change_config(name, change, parts=small):
    config = json.loads(parts["config.json"])
    changed = change(config)
    text = json.dumps(changed if changed is not None else config)
    write(name, {**parts, "config.json": text})


def layer(config, name):
    return next(one for one in config["config"]["layers"] if one["config"]["name"] == name)


def history(config, name):
    return layer(config, name)["inbound_nodes"][0]["args"][0]["config"]["keras_history"]


def change_weights(name, change, parts=small):
    file = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(file, "r+") as h5:
        change(h5)
    write(name, {**parts, "model.weights.h5": file.getvalue()})


def replace(h5, path, **options):
    del h5[path]
    h5.create_dataset(path, **options)


# --- graphs ---
change_config("circle", lambda c: history(c, "conv").__setitem__(0, "answer"))
change_config("self", lambda c: history(c, "conv").__setitem__(0, "conv"))
change_config("unknown_layer", lambda c: history(c, "conv").__setitem__(0, "nobody"))
change_config("unknown_call", lambda c: history(c, "norm").__setitem__(1, 7))
change_config("negative_call", lambda c: history(c, "norm").__setitem__(1, -1))
change_config("unknown_tensor", lambda c: history(c, "norm").__setitem__(2, 3))
change_config("huge_tensor", lambda c: history(c, "norm").__setitem__(2, 2**62))
change_config("unknown_output", lambda c: c["config"].__setitem__("output_layers", [["nobody", 0, 0]]))
change_config("no_outputs", lambda c: c["config"].__setitem__("output_layers", []))
change_config("no_inputs", lambda c: c["config"].__setitem__("input_layers", []))
change_config("same_name", lambda c: layer(c, "norm").__setitem__("name", "conv"))
change_config("no_layers", lambda c: c["config"].__setitem__("layers", []))
change_config("layers_text", lambda c: c["config"].__setitem__("layers", "none"))
change_config("layer_number", lambda c: c["config"]["layers"].__setitem__(1, 7))
change_config("no_class", lambda c: layer(c, "conv").pop("class_name"))
change_config("unknown_class", lambda c: layer(c, "conv").__setitem__("class_name", "Teleport"))
change_config("model_class", lambda c: c.__setitem__("class_name", "MyModel") or c["config"].pop("layers"))
change_config("list", lambda c: [c])
change_config("null", lambda c: {"class_name": "Functional", "config": None})
change_config("lambda", lambda c: layer(c, "drop").update(class_name="Lambda", config={"name": "drop", "function": "x"}))


def deep(config):
    for _ in range(40):
        config = {"class_name": "Sequential", "config": {"name": "deep", "layers": [
            {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 4]}}, config]}}
    return config


change_config("deep_models", deep)


# Each model calls the one inside it twice: 2^25 calls from a small file.
def doubling(config):
    inside = {"class_name": "Activation", "config": {"name": "act", "activation": "relu"}, "name": "act"}
    for level in range(25):
        def call(name, at):
            return {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, at, 0]}}], "kwargs": {}}
        inner = {**inside, "inbound_nodes": [call("i", 0), call(inside["name"], 0)]}
        inside = {"class_name": "Functional", "name": f"m{level}", "config": {
            "name": f"m{level}", "input_layers": ["i", 0, 0], "output_layers": [inside["name"], 1 if level == 0 else 2, 0],
            "layers": [{"class_name": "InputLayer", "name": "i", "config": {"name": "i", "batch_shape": [None, 4]},
                        "inbound_nodes": []}, inner]}}
    return {"class_name": "Functional", "config": inside["config"]}


change_config("doubling_models", doubling)

# --- options ---
for name, key, value in [
    ("filters_negative", "filters", -4), ("filters_huge", "filters", 2**62), ("filters_text", "filters", "four"),
    ("filters_fraction", "filters", 4.5), ("filters_null", "filters", None), ("kernel_zero", "kernel_size", [0, 0]),
    ("kernel_huge", "kernel_size", [2**40, 2**40]), ("kernel_three", "kernel_size", [3, 3, 3]),
    ("strides_zero", "strides", [0, 0]), ("strides_negative", "strides", [-1, 1]), ("groups_zero", "groups", 0),
    ("groups_two", "groups", 2), ("dilation_zero", "dilation_rate", [0, 1]), ("padding_odd", "padding", "sideways"),
    ("channels_first", "data_format", "channels_first"), ("activation_odd", "activation", "wild"),
    ("activation_number", "activation", 3), ("activation_list", "activation", [[]]), ("bias_text", "use_bias", "yes"),
]:
    change_config(name, lambda c: layer(c, "conv")["config"].__setitem__(key, value))
for name, shape in [
    ("shape_text", "big"), ("shape_negative", [None, -3, 12, 3]), ("shape_huge", [None, 2**62, 2**62, 3]),
    ("shape_float", [None, 1.5, 2, 3]), ("shape_empty", []), ("shape_zero", [None, 0, 12, 3]), ("shape_list", [None, [1], 12, 3]),
    ("shape_open", [None, None, 12, 3]), ("shape_long", [None] + [1] * 100000),
]:
    change_config(name, lambda c: layer(c, "picture")["config"].__setitem__("batch_shape", shape))
change_config("dtype_odd", lambda c: layer(c, "picture")["config"].__setitem__("dtype", "quaternion"))
change_config("epsilon_text", lambda c: layer(c, "norm")["config"].__setitem__("epsilon", "little"))
change_config("axis_far", lambda c: layer(c, "norm")["config"].__setitem__("axis", 9))
change_config("axis_batch", lambda c: layer(c, "norm")["config"].__setitem__("axis", 0))
change_config("axis_list", lambda c: layer(c, "norm")["config"].__setitem__("axis", []))
change_config("units_other", lambda c: layer(c, "answer")["config"].__setitem__("units", 6))


# A constant of the layer's own making as large as the configuration says.
def large_constant(config):
    layer(config, "picture")["config"]["batch_shape"] = [None, 1, 1, 2**50]
    layer(config, "norm")["config"].update(scale=False, center=False)
    history(config, "norm")[0] = "picture"


change_config("large_constant", large_constant)

# --- weights ---
change_weights("weight_missing", lambda h5: h5.__delitem__("layers/conv2d/vars/0"))
change_weights("weight_shape", lambda h5: replace(h5, "layers/dense/vars/0", data=numpy.zeros((5, 8), "float32")))
change_weights("weight_text", lambda h5: replace(h5, "layers/dense/vars/0", data=b"hello"))
change_weights("weight_integers", lambda h5: replace(h5, "layers/dense/vars/0", data=numpy.zeros((8, 5), "int32")))
change_weights("weight_empty", lambda h5: replace(h5, "layers/dense/vars/0", data=h5py.Empty("f")))
change_weights("weight_bomb", lambda h5: replace(
    h5, "layers/dense/vars/0", shape=(2**20, 2**20), dtype="float32", chunks=(1024, 1024), compression="gzip"))
change_weights("weight_vast", lambda h5: replace(h5, "layers/dense/vars/0", shape=(2**31, 2**31), dtype="float32", chunks=(16, 16)))
change_weights("weight_external", lambda h5: replace(
    h5, "layers/dense/vars/0", shape=(8, 5), dtype="float32", external=[("/etc/passwd", 0, 160)]))


def soft(h5):
    del h5["layers/dense/vars/0"]
    h5["layers/dense/vars/0"] = h5py.SoftLink("/layers/conv2d/vars/0")


def external_link(h5):
    del h5["layers/dense/vars/0"]
    h5["layers/dense/vars/0"] = h5py.ExternalLink(str(source / "small.h5"), "model_weights/answer/answer/kernel")


def virtual(h5):
    del h5["layers/dense/vars/0"]
    layout = h5py.VirtualLayout(shape=(8, 5), dtype="float32")
    layout[:] = h5py.VirtualSource(str(source / "small.h5"), "model_weights/small/answer/kernel", shape=(8, 5))
    h5.create_virtual_dataset("layers/dense/vars/0", layout)


def loop(h5):
    h5["layers/conv2d/again"] = h5["layers"]


def ladder(h5):
    group = h5.create_group("ladder")
    for _ in range(30):
        below = group.create_group("a")
        group["b"] = below
        group = below


change_weights("link_soft", soft)
change_weights("link_external", external_link)
change_weights("virtual", virtual)
change_weights("link_loop", loop)
change_weights("link_ladder", ladder)
write("weights_text", {**small, "model.weights.h5": b"no weights"})
write("weights_empty", {**small, "model.weights.h5": b""})

# --- archives ---
write("no_config", {k: v for k, v in small.items() if k != "config.json"})
write("no_metadata", {k: v for k, v in small.items() if k != "metadata.json"})
write("no_weights", {k: v for k, v in small.items() if k != "model.weights.h5"})
write("traversal", {**small, "../outside": b"x"})
write("traversal_deep", {**small, "assets/../../outside": b"x"})
write("absolute", {**small, "/outside": b"x"})
write("twice", list(small.items()) + [("config.json", small["config.json"])])
write("config_bomb", {**small, "config.json": b" " * (300 << 20)}, zipfile.ZIP_DEFLATED)
write("weights_bomb", {**small, "model.weights.h5": small["model.weights.h5"] + bytes(300 << 20)}, zipfile.ZIP_DEFLATED)
write("config_deep", {**small, "config.json": b"[" * 100000 + b"]" * 100000})
write("config_text", {**small, "config.json": b"{'not': json}"})
write("config_bytes", {**small, "config.json": bytes(range(256))})
write("metadata_list", {**small, "metadata.json": b"[]"})
write("many", {**small, **{f"assets/{i}": b"" for i in range(20000)}})
good = (source / "small.keras").read_bytes()
directory = good.rindex(b"PK\x01\x02")
for name, offset, value in [("offset_far", 42, 0xFFFFFFF0), ("size_far", 24, 0x7FFFFFFF), ("name_far", 28, 0xFFFF)]:
    broken = bytearray(good)
    struct.pack_into("<H" if name == "name_far" else "<I", broken, directory + offset, value)
    (out / f"zip_{name}.keras").write_bytes(broken)

# --- whole-model .h5 ---
def change_h5(name, change, origin="nested-2.h5"):
    (out / f"{name}.h5").write_bytes((source / origin).read_bytes())
    with h5py.File(out / f"{name}.h5", "r+") as h5:
        change(h5)


change_h5("no_weights_group", lambda h5: h5.__delitem__("model_weights"))
change_h5("no_layer_group", lambda h5: h5["model_weights"].__delitem__("encoder"))
change_h5("config_number", lambda h5: h5.attrs.__setitem__("model_config", 7))
change_h5("config_half", lambda h5: h5.attrs.__setitem__("model_config", h5.attrs["model_config"][:500]))
change_h5("fewer_names", lambda h5: h5["model_weights/encoder"].attrs.__setitem__(
    "weight_names", h5["model_weights/encoder"].attrs["weight_names"][:3]))
change_h5("names_elsewhere", lambda h5: h5["model_weights/encoder"].attrs.__setitem__(
    "weight_names", numpy.array([b"../shared/shared/kernel:0"] * 10)))
change_h5("names_swapped", lambda h5: h5["model_weights/encoder"].attrs.__setitem__(
    "weight_names", h5["model_weights/encoder"].attrs["weight_names"][::-1]))
)";

// What a damaged file may give; another exception than Error, or a crash, fails the test.
enum class Outcome { read, refused };

Outcome try_to_read(const std::filesystem::path& path) {
  try {
    read_model(path);
    return Outcome::read;
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::internal) << path << ": " << error.what();
    EXPECT_NE(std::string(error.what()).find(path.filename().string()), std::string::npos)
        << path << " is not named in: " << error.what();
    return Outcome::refused;
  }
}

TEST(HostileModels, are_refused_by_name) {
  const TemporaryDirectory directory;
  run_python(kScript, {keras_files().string(), directory.path().string()});
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    EXPECT_EQ(try_to_read(entry.path()), Outcome::refused) << entry.path().filename();
    ++files;
  }
  EXPECT_GE(files, 90U);
}

std::string bytes_of(const std::string& name) { return read_file(keras_files() / name, 16U << 20U); }

class Damage : public testing::TestWithParam<std::string> {
 protected:
  Outcome read(const std::string& bytes) {
    const auto path = directory_.path() / "damaged";
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return try_to_read(path);
  }

 private:
  TemporaryDirectory directory_;
};

TEST_P(Damage, by_cutting_is_noticed) {
  const std::string whole = bytes_of(GetParam());
  std::mt19937 random(1);
  for (int i = 0; i < 60; ++i) {
    const std::size_t length = std::uniform_int_distribution<std::size_t>(0, whole.size() - 1)(random);
    // The last bytes of an .h5 may be room that nothing uses; all others are missed.
    const Outcome outcome = read(whole.substr(0, length));
    EXPECT_TRUE(outcome == Outcome::refused || length > whole.size() / 2) << length;
  }
}

TEST_P(Damage, of_single_bytes_never_crashes) {
  const std::string whole = bytes_of(GetParam());
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = whole;
    const int changes = std::uniform_int_distribution<int>(1, 8)(random);
    for (int change = 0; change < changes; ++change) {
      const std::size_t at = std::uniform_int_distribution<std::size_t>(0, whole.size() - 1)(random);
      // Sizes and offsets hurt most where all their bits are set or none.
      static constexpr std::string_view kValues("\xff\x00\x7f\x80\x01", 5);
      damaged[at] = kValues[std::uniform_int_distribution<std::size_t>(0, 4)(random)];
    }
    read(damaged);
  }
}

TEST_P(Damage, of_the_index_never_crashes) {
  // Most bytes of a model are weights; here only those before the first of them and around names change.
  const std::string whole = bytes_of(GetParam());
  std::mt19937 random(3);
  std::vector<std::size_t> places;
  for (const char* mark : {"HEAP", "TREE", "SNOD", "OHDR", "PK\x01\x02", "PK\x05\x06", "\x89HDF"}) {
    for (std::size_t at = whole.find(mark); at != std::string::npos; at = whole.find(mark, at + 1)) {
      places.push_back(at);
    }
  }
  ASSERT_FALSE(places.empty());
  for (int i = 0; i < 200; ++i) {
    std::string damaged = whole;
    const std::size_t place =
        places[std::uniform_int_distribution<std::size_t>(0, places.size() - 1)(random)];
    const std::size_t at = place + std::uniform_int_distribution<std::size_t>(0, 63)(random);
    if (at < damaged.size())
      damaged[at] = static_cast<char>(std::uniform_int_distribution<int>(0, 255)(random));
    read(damaged);
  }
}

INSTANTIATE_TEST_SUITE_P(Keras, Damage, testing::Values("nested.keras", "nested.h5", "nested-2.h5"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '.' || c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace lamina
