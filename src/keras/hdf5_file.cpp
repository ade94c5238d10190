#include "keras/hdf5_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "keras/sandbox.h"

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include <hdf5.h>
#include <hdf5_hl.h>

namespace lamina {

namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
constexpr std::size_t kMaxObjects = 200'000;
constexpr int kMaxDepth = 64;
constexpr std::uint64_t kMaxTextBytes = 256U << 20U;
// A compressed file may unpack to so many times its size, which no trained weights do.
constexpr std::uint64_t kMaxExpansion = 100;
constexpr std::uint64_t kMinUnpacked = 64U << 20U;

// An HDF5 identifier, closed at the end.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
    if (id < 0) fail(ErrorCode::corrupt, "{}: the HDF5 file is damaged", what);
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  hid_t get() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// Whether a float has the layout of IEEE 754 for its size: bfloat16 has not.
bool is_ieee(hid_t type) {
  std::size_t sign = 0;
  std::size_t exponent_at = 0;
  std::size_t exponent = 0;
  std::size_t mantissa_at = 0;
  std::size_t mantissa = 0;
  if (H5Tget_fields(type, &sign, &exponent_at, &exponent, &mantissa_at, &mantissa) < 0) return false;
  const std::size_t bits = H5Tget_size(type) * 8;
  return (bits == 16 && exponent == 5 && mantissa == 10) || (bits == 32 && exponent == 8 && mantissa == 23) ||
         (bits == 64 && exponent == 11 && mantissa == 52);
}

// The Keras dtype of an HDF5 type, or "" for what is no plain number.
std::string dtype_name(hid_t type) {
  const std::size_t bits = H5Tget_size(type) * 8;
  const bool little = H5Tget_size(type) == 1 || H5Tget_order(type) == H5T_ORDER_LE;
  if (!little) return "";
  if (H5Tget_class(type) == H5T_FLOAT) return is_ieee(type) ? "float" + std::to_string(bits) : "";
  if (H5Tget_class(type) == H5T_ENUM && bits == 8) return "bool";  // as h5py writes booleans
  if (H5Tget_class(type) != H5T_INTEGER || (bits != 8 && bits != 16 && bits != 32 && bits != 64)) return "";
  return (H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int") + std::to_string(bits);
}

// Runs in the child: walks the file and describes it as JSON. Bytes of datasets that don't lie in one run in
// the file are written to `unpacked`.
class Indexer {
 public:
  Indexer(const Buffer& bytes, std::span<std::byte> unpacked, const std::string& where)
      : bytes_(bytes), unpacked_(unpacked), where_(where) {}

  std::string run() {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    const Handle file(H5LTopen_file_image(const_cast<std::byte*>(bytes_.data()), bytes_.size(),
                                          H5LT_FILE_IMAGE_DONT_COPY | H5LT_FILE_IMAGE_DONT_RELEASE),
                      H5Fclose, where_);
    const Handle root(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose, where_);
    read_group(root.get(), "", 0);
    return Json{{"groups", groups_}, {"datasets", datasets_}}.dump(-1, ' ', false,
                                                                   Json::error_handler_t::replace);
  }

 private:
  void read_group(hid_t group, const std::string& path, int depth) {
    if (depth > kMaxDepth) fail(ErrorCode::corrupt, "{}: groups nested deeper than {}", where_, kMaxDepth);
    groups_[path] = read_attributes(group);
    H5G_info_t info{};
    if (H5Gget_info(group, &info) < 0) fail(ErrorCode::corrupt, "{}: group '{}' is damaged", where_, path);
    for (hsize_t i = 0; i < info.nlinks; ++i) {
      if (++objects_ > kMaxObjects) fail(ErrorCode::corrupt, "{}: more than {} objects", where_, kMaxObjects);
      read_link(group, path, i, depth);
    }
  }

  void read_link(hid_t group, const std::string& path, hsize_t index, int depth) {
    H5L_info_t link{};
    if (H5Lget_info_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, index, &link, H5P_DEFAULT) < 0) {
      fail(ErrorCode::corrupt, "{}: group '{}' is damaged", where_, path);
    }
    // Soft and external links may lead anywhere, other files included; Keras writes none.
    if (link.type != H5L_TYPE_HARD) return;
    std::array<char, 1024> name{};
    const ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, index, name.data(),
                                              name.size(), H5P_DEFAULT);
    if (length < 1 || length >= std::ssize(name))
      fail(ErrorCode::corrupt, "{}: a name in '{}' is damaged", where_, path);
    const std::string full = path.empty() ? name.data() : path + "/" + name.data();
    const Handle object(H5Oopen(group, name.data(), H5P_DEFAULT), H5Oclose, where_ + ": " + full);
    if (H5Iget_type(object.get()) == H5I_GROUP) read_group(object.get(), full, depth + 1);
    if (H5Iget_type(object.get()) == H5I_DATASET) read_dataset(object.get(), full);
  }

  void read_dataset(hid_t dataset, const std::string& path) {
    const std::string what = where_ + ": dataset '" + path + "'";
    const Handle type(H5Dget_type(dataset), H5Tclose, what);
    const Handle space(H5Dget_space(dataset), H5Sclose, what);
    const Handle properties(H5Dget_create_plist(dataset), H5Pclose, what);
    std::string dtype = dtype_name(type.get());
    // HDF5 knows no bfloat16: Keras stores two bytes of no type and says so beside them.
    if (H5Tget_class(type.get()) == H5T_OPAQUE && H5Tget_size(type.get()) == 2 &&
        read_attributes(dataset).value("dtype", Json()) == Json::array({"bfloat16"})) {
      dtype = "bfloat16";
    }
    if (dtype.empty()) return;  // texts and the like; no weight of a model
    if (H5Pget_external_count(properties.get()) != 0 || H5Pget_layout(properties.get()) == H5D_VIRTUAL) {
      fail(ErrorCode::corrupt, "{}: its data is in another file", what);
    }
    const int rank = H5Sget_simple_extent_ndims(space.get());
    std::array<hsize_t, H5S_MAX_RANK> sizes{};
    if (rank < 0 || rank > H5S_MAX_RANK ||
        H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr) != rank) {
      fail(ErrorCode::corrupt, "{}: its shape is damaged", what);
    }
    Shape shape;
    for (int axis = 0; axis < rank; ++axis) {
      if (sizes[static_cast<std::size_t>(axis)] > (hsize_t{1} << 62U))
        fail(ErrorCode::corrupt, "{}: its shape is damaged", what);
      shape.push_back(static_cast<std::int64_t>(sizes[static_cast<std::size_t>(axis)]));
    }
    const TensorType described{dtype_from_string(dtype, what), shape};
    const std::uint64_t bytes = byte_size(described, 1);
    Json entry = {{"dtype", dtype}, {"shape", shape}};
    const haddr_t offset = H5Dget_offset(dataset);
    if (H5Pget_layout(properties.get()) == H5D_CONTIGUOUS && (offset != HADDR_UNDEF || bytes == 0)) {
      entry["offset"] = bytes == 0 ? 0 : offset;
    } else {
      entry["unpacked"] = unpack(dataset, type.get(), bytes, what);
    }
    datasets_[path] = std::move(entry);
  }

  std::size_t unpack(hid_t dataset, hid_t type, std::uint64_t bytes, const std::string& what) {
    if (bytes > unpacked_.size() - used_) {
      fail(ErrorCode::corrupt, "{}: unpacks to {} bytes, more than a file of {} can hold", what, bytes,
           bytes_.size());
    }
    const std::size_t begin = used_;
    if (bytes > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, unpacked_.data() + begin) < 0) {
      fail(ErrorCode::corrupt, "{}: its data is damaged or in a format that can't be read", what);
    }
    used_ += (static_cast<std::size_t>(bytes) + 63) / 64 * 64;
    used_ = std::min(used_, unpacked_.size());
    return begin;
  }

  Json read_attributes(hid_t object) {
    Json attributes = Json::object();
    const int count = H5Aget_num_attrs(object);
    for (int i = 0; i < count; ++i) {
      const Handle attribute(H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, static_cast<hsize_t>(i),
                                            H5P_DEFAULT, H5P_DEFAULT),
                             H5Aclose, where_);
      std::array<char, 1024> name{};
      if (H5Aget_name(attribute.get(), name.size(), name.data()) < 0) continue;
      const Handle type(H5Aget_type(attribute.get()), H5Tclose, where_);
      if (H5Tget_class(type.get()) == H5T_STRING)
        attributes[name.data()] = read_texts(attribute.get(), type.get());
    }
    return attributes;
  }

  Json read_texts(hid_t attribute, hid_t type) {
    const Handle space(H5Aget_space(attribute), H5Sclose, where_);
    const hssize_t count = H5Sget_simple_extent_npoints(space.get());
    Json texts = Json::array();
    if (count <= 0) return texts;
    const auto wanted = static_cast<std::uint64_t>(count);
    const std::uint64_t size = H5Tget_size(type);
    if (wanted * std::max<std::uint64_t>(size, 8) > kMaxTextBytes || wanted > kMaxObjects) {
      fail(ErrorCode::corrupt, "{}: an attribute of {} texts", where_, count);
    }
    if (H5Tis_variable_str(type) > 0) {
      std::vector<char*> pointers(wanted, nullptr);
      if (H5Aread(attribute, type, pointers.data()) < 0)
        fail(ErrorCode::corrupt, "{}: an attribute is damaged", where_);
      for (const char* text : pointers) texts.push_back(text == nullptr ? "" : std::string(text));
      return texts;
    }
    std::string block(wanted * size, '\0');
    if (H5Aread(attribute, type, block.data()) < 0)
      fail(ErrorCode::corrupt, "{}: an attribute is damaged", where_);
    for (std::uint64_t i = 0; i < wanted; ++i) {
      texts.push_back(std::string(block.data() + i * size, ::strnlen(block.data() + i * size, size)));
    }
    return texts;
  }

  const Buffer& bytes_;
  std::span<std::byte> unpacked_;
  const std::string& where_;
  std::size_t used_ = 0;
  std::size_t objects_ = 0;
  Json groups_ = Json::object();
  Json datasets_ = Json::object();
};

}  // namespace

std::vector<std::string> Hdf5File::texts(const std::string& group, const std::string& name) const {
  const auto found = text_attributes.find(group);
  if (found == text_attributes.end()) return {};
  if (const auto whole = found->second.find(name); whole != found->second.end()) return whole->second;
  std::vector<std::string> all;
  for (int part = 0;; ++part) {
    const auto piece = found->second.find(name + std::to_string(part));
    if (piece == found->second.end()) return all;
    all.insert(all.end(), piece->second.begin(), piece->second.end());
  }
}

bool looks_like_hdf5(const Buffer& bytes) {
  return bytes.size() >= kSignature.size() &&
         std::memcmp(bytes.data(), kSignature.data(), kSignature.size()) == 0;
}

Hdf5File read_hdf5(const Buffer& bytes, const std::string& where) {
  if (!looks_like_hdf5(bytes)) fail(ErrorCode::corrupt, "{}: not an HDF5 file", where);
  // Shared with the child, which fills it; it costs nothing until it is used.
  const std::uint64_t room = std::max(kMinUnpacked, bytes.size() * kMaxExpansion);
  const WritableSpill unpacked = create_shared_memory(room);
  const std::string text = run_in_child(where, [&] { return Indexer(bytes, unpacked.bytes, where).run(); });
  const Json index = parse_json(text, where);

  Hdf5File file;
  for (const auto& [path, attributes] : json_object(index, "groups", where).items()) {
    auto& texts = file.text_attributes[path];
    for (const auto& [name, value] : attributes.items()) texts[name] = json_strings(attributes, name, where);
  }
  const Buffer spill(unpacked.owner, unpacked.bytes);
  for (const auto& [path, entry] : json_object(index, "datasets", where).items()) {
    const std::string what = where + ": dataset '" + path + "'";
    const TensorType type{dtype_from_string(json_string(entry, "dtype", what), what),
                          json_integers(entry, "shape", what)};
    const bool direct = entry.contains("offset");
    const Buffer& source = direct ? bytes : spill;
    const std::uint64_t offset = json_size(entry, direct ? "offset" : "unpacked", what);
    const std::uint64_t size = byte_size(type, 1);
    if (offset > source.size() || size > source.size() - offset) {
      fail(ErrorCode::corrupt, "{}: {} bytes at {} in a file of {}", what, size, offset, source.size());
    }
    file.datasets.emplace(path, Tensor(type, source.slice(offset, size)));
  }
  return file;
}

}  // namespace lamina
