#include "serve/model_io.h"

#include "base/error.h"
#include "graph/convert.h"
#include "graph/npy.h"
#include "serve/npz.h"

#include <cstring>
#include <optional>
#include <span>

namespace lamina {

namespace {

std::string list_ends(const std::vector<Signature::End>& ends) {
  std::string list;
  for (const Signature::End& end : ends) {
    list += fmt::format("{}'{}' {}", list.empty() ? "" : ", ", end.name, to_string(end.type));
  }
  return list;
}

std::string list_names(const std::vector<NamedTensor>& tensors) {
  std::string list;
  for (const NamedTensor& tensor : tensors) list += (list.empty() ? "'" : ", '") + tensor.name + "'";
  return list.empty() ? "no arrays" : list;
}

// bool before integers before floating point: a cast upwards keeps the meaning.
int kind(DType dtype) {
  if (dtype == DType::boolean) return 0;
  return is_floating(dtype) ? 2 : 1;
}

Tensor as_input(const Tensor& tensor, const Signature::End& end) {
  if (tensor.dtype() == end.type.dtype) return tensor;
  if (kind(tensor.dtype()) > kind(end.type.dtype)) {
    fail(ErrorCode::invalid_argument,
         "input '{}' is {}, expected {} or what converts to it without loss of kind", end.name,
         to_string(tensor.type()), to_string(end.type));
  }
  try {
    return convert(tensor, end.type.dtype);
  } catch (const Error& error) {
    fail(error.code(), "input '{}': {}", end.name, error.what());
  }
}

// numpy.savez names arrays it was given without names arr_0, arr_1, …
std::optional<std::size_t> position(const std::string& name) {
  for (std::size_t i = 0; i < 64; ++i) {
    if (name == fmt::format("arr_{}", i)) return i;
  }
  return std::nullopt;
}

std::vector<Tensor> by_name(const std::vector<NamedTensor>& arrays, const Signature& signature) {
  std::vector<std::optional<Tensor>> found(signature.inputs.size());
  const auto refuse = [&] {
    fail(ErrorCode::invalid_argument, "the .npz holds {}, expected {}", list_names(arrays),
         list_ends(signature.inputs));
  };
  for (const NamedTensor& array : arrays) {
    std::optional<std::size_t> index;
    for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
      if (signature.inputs[i].name == array.name) index = i;
    }
    if (!index) index = position(array.name);
    if (!index || *index >= found.size() || found[*index]) refuse();
    found[*index] = array.tensor;
  }
  std::vector<Tensor> inputs;
  for (std::optional<Tensor>& tensor : found) {
    if (!tensor) refuse();
    inputs.push_back(std::move(*tensor));
  }
  return inputs;
}

bool accepts_npz(std::string_view accept) {
  return accept.find("application/x-npz") != std::string_view::npos ||
         accept.find("application/zip") != std::string_view::npos;
}

}  // namespace

std::vector<Tensor> read_inputs(const Buffer& body, const Signature& signature, std::string_view input,
                                std::uint64_t max_bytes) {
  std::vector<Tensor> inputs;
  if (is_npz(body)) {
    inputs = by_name(read_npz(body, max_bytes, "the body"), signature);
  } else {
    if (signature.inputs.size() != 1) {
      fail(ErrorCode::invalid_argument, "one array came, expected an .npz of {}",
           list_ends(signature.inputs));
    }
    if (!input.empty() && input != signature.inputs[0].name) {
      fail(ErrorCode::invalid_argument, "the query names input '{}', expected {}", input,
           list_ends(signature.inputs));
    }
    inputs.push_back(read_npy(body, "the body"));
  }
  std::string sent;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const DType dtype = inputs[i].dtype();
    inputs[i] = as_input(inputs[i], signature.inputs[i]);
    if (dtype != inputs[i].dtype()) {
      sent += fmt::format(" ('{}' was sent as {})", signature.inputs[i].name, to_string(dtype));
    }
  }
  try {
    check_inputs(signature, inputs);
  } catch (const Error& error) {
    fail(error.code(), "{}{}", error.what(), sent);
  }
  return inputs;
}

void check_output_name(const Signature& signature, std::string_view output) {
  if (output.empty()) return;
  for (const Signature::End& end : signature.outputs) {
    if (end.name == output) return;
  }
  fail(ErrorCode::invalid_argument, "the query names output '{}', expected one of {}", output,
       list_ends(signature.outputs));
}

Reply outputs_reply(const std::vector<Tensor>& outputs, const Signature& signature, std::string_view output,
                    std::string_view accept) {
  if (outputs.size() != signature.outputs.size()) {
    fail(ErrorCode::internal, "the pipeline gave {} outputs, expected {}", outputs.size(),
         list_ends(signature.outputs));
  }
  std::vector<NamedTensor> chosen;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (output.empty() || output == signature.outputs[i].name) {
      chosen.push_back({signature.outputs[i].name, outputs[i]});
    }
  }
  Reply reply;
  if (chosen.size() == 1 && !accepts_npz(accept)) {
    const std::string header = npy_header(chosen[0].tensor.type());
    reply.content_type = "application/x-npy";
    reply.body.push_back(Buffer::copy(std::as_bytes(std::span(header.data(), header.size()))));
    if (!chosen[0].tensor.data().empty()) reply.body.push_back(chosen[0].tensor.data());
  } else {
    reply.content_type = "application/x-npz";
    reply.body.push_back(write_npz(chosen));
  }
  return reply;
}

}  // namespace lamina
