#include "cli/tensor_arguments.h"

#include "base/error.h"
#include "graph/convert.h"
#include "graph/npy.h"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace lamina::cli {

namespace {

struct NamedFile {
  std::string name;  // empty: by position
  std::string path;
};

std::string names_of(const std::vector<Signature::End>& ends) {
  std::string names;
  for (const auto& end : ends) names += (names.empty() ? "" : ", ") + end.name;
  return names;
}

std::optional<std::size_t> find_end(const std::vector<Signature::End>& ends, const std::string& name) {
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (ends[i].name == name) return i;
  }
  return std::nullopt;
}

// NAME=FILE only where a file of that whole name does not exist: names of files may hold '='.
NamedFile split_argument(const std::string& argument, bool must_exist) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos || (must_exist && std::filesystem::exists(argument))) return {"", argument};
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

// Which file belongs to which end.
std::vector<std::string> assign_files(const std::vector<Signature::End>& ends,
                                      const std::vector<std::string>& arguments, bool must_exist,
                                      std::string_view kind) {
  std::vector<std::string> files(ends.size());
  std::size_t next = 0;
  for (const std::string& argument : arguments) {
    const NamedFile file = split_argument(argument, must_exist);
    std::size_t index = next;
    if (file.name.empty()) {
      ++next;
    } else {
      const auto found = find_end(ends, file.name);
      if (!found) {
        fail(ErrorCode::invalid_argument, "the model has no {} '{}', expected one of: {}", kind, file.name,
             names_of(ends));
      }
      index = *found;
    }
    if (index >= ends.size()) {
      fail(ErrorCode::invalid_argument, "{} files were given for {} {}s: {}", arguments.size(), ends.size(),
           kind, names_of(ends));
    }
    if (!files[index].empty()) {
      fail(ErrorCode::invalid_argument, "{} '{}' was given twice: '{}' and '{}'", kind, ends[index].name,
           files[index], file.path);
    }
    files[index] = file.path;
  }
  return files;
}

}  // namespace

std::vector<std::string> input_files(const Signature& signature, const std::vector<std::string>& arguments) {
  std::vector<std::string> files = assign_files(signature.inputs, arguments, true, "input");
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Signature::End& input = signature.inputs[i];
    if (files[i].empty()) {
      fail(ErrorCode::invalid_argument, "no file was given for input '{}' {}", input.name,
           to_string(input.type));
    }
  }
  return files;
}

std::vector<Tensor> load_inputs(const Signature& signature, const std::vector<std::string>& arguments) {
  const std::vector<std::string> files = input_files(signature, arguments);
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Signature::End& input = signature.inputs[i];
    const Tensor tensor = load_npy(files[i]);
    try {
      inputs.push_back(convert(tensor, input.type.dtype));
    } catch (const Error& error) {
      fail(error.code(), "'{}' for input '{}': {}", files[i], input.name, error.what());
    }
  }
  return inputs;
}

void save_outputs(const Signature& signature, const std::vector<Tensor>& outputs,
                  const std::vector<std::string>& arguments) {
  std::vector<std::string> files;
  if (arguments.size() == 1 && outputs.size() > 1 && arguments[0].find('=') == std::string::npos) {
    const std::filesystem::path path(arguments[0]);
    for (const auto& output : signature.outputs) {
      std::string name = output.name;
      std::replace(name.begin(), name.end(), '/', '_');
      files.push_back(
          (path.parent_path() / (path.stem().string() + "." + name + path.extension().string())).string());
    }
  } else {
    files = assign_files(signature.outputs, arguments, false, "output");
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!files[i].empty()) save_npy(files[i], outputs[i]);
  }
}

}  // namespace lamina::cli
