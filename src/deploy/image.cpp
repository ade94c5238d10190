#include "deploy/image.h"

#include "base/error.h"
#include "engine/engine.h"

#include <map>

#include <elf.h>
#include <link.h>
#include <sys/utsname.h>

namespace lamina {

namespace {

// A product and a sum: enough for an engine to open what it opens when asked for work.
void run_something(const std::string& name) {
  Graph graph("something");
  graph.begin_layer("all", "Dense");
  const ValueId x = graph.add_input("x", {DType::f32, {kBatch, 16}});
  const ValueId square = graph.add("matmul", {graph.add("reshape", {x}, {{"shape", Shape{kBatch, 4, 4}}}),
                                              graph.add("reshape", {x}, {{"shape", Shape{kBatch, 4, 4}}})});
  graph.add_output("y", graph.add("relu", {square}));
  const std::vector<float> zeros(16);
  const std::vector<Tensor> inputs = {
      Tensor({DType::f32, {1, 16}}, Buffer::copy(std::as_bytes(std::span(zeros))))};
  load_engine(name)->compile(graph, {})->run(inputs);
}

// What the dynamic loader has loaded: the path it asks the kernel for, and of the program the loader's own.
struct Loaded {
  std::vector<std::filesystem::path> libraries;
  std::filesystem::path interpreter;
};

int look_at(dl_phdr_info* object, std::size_t /*size*/, void* result) {
  auto& loaded = *static_cast<Loaded*>(result);
  const std::string name = object->dlpi_name == nullptr ? "" : object->dlpi_name;
  // The kernel's own has no path.
  if (name.find('/') != std::string::npos) loaded.libraries.emplace_back(name);
  for (int i = 0; name.empty() && i < object->dlpi_phnum; ++i) {
    if (object->dlpi_phdr[i].p_type == PT_INTERP)
      loaded.interpreter = reinterpret_cast<const char*>(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
  }
  return 0;
}

ImageFile library(const std::filesystem::path& path) {
  return {.path = kImageLibraries + path.filename().string(), .source = path, .mode = 0755};
}

}  // namespace

RuntimeFiles find_runtime_files(const std::string& engine) {
  run_something(engine);
  Loaded loaded;
  ::dl_iterate_phdr(&look_at, &loaded);
  if (loaded.interpreter.empty())
    fail(ErrorCode::unsupported, "this program is linked without a dynamic loader; images need one");
  RuntimeFiles files;
  files.program = std::filesystem::read_symlink("/proc/self/exe");
  files.interpreter = loaded.interpreter;
  for (const std::filesystem::path& path : loaded.libraries) {
    if (path.filename() == "liblamina_" + engine + ".so") {
      files.engine = path;
    } else if (path.filename() != files.interpreter.filename()) {
      files.libraries.push_back(path);
    }
  }
  return files;
}

std::string image_architecture() {
  utsname system{};
  ::uname(&system);
  const std::string machine = system.machine;
  const std::map<std::string, std::string> names = {{"x86_64", "amd64"}, {"aarch64", "arm64"}};
  const auto found = names.find(machine);
  if (found == names.end())
    fail(ErrorCode::unsupported, "no images for machines of kind '{}', expected x86_64 or aarch64", machine);
  return found->second;
}

std::string image_name(const std::string& version) { return "lamina:" + version; }

ImageDescription describe_image(const RuntimeFiles& files, const std::string& name,
                                const std::string& version) {
  ImageLayer libraries;
  libraries.files.push_back(
      {.path = files.interpreter.string().substr(1), .source = files.interpreter, .mode = 0755});
  std::map<std::string, std::filesystem::path> known;
  for (const std::filesystem::path& path : files.libraries) {
    const auto [other, fresh] = known.emplace(path.filename().string(), path);
    if (!fresh && !std::filesystem::equivalent(other->second, path))
      fail(ErrorCode::already_exists, "two libraries of one name: '{}' and '{}'", other->second.string(),
           path.string());
    if (fresh) libraries.files.push_back(library(path));
  }

  ImageLayer program;
  program.files.push_back(
      {.path = std::string(kImageProgram).substr(1), .source = files.program, .mode = 0755});
  program.files.push_back(library(files.engine));
  // Names of this container's network first, as in /etc/hosts.
  program.files.push_back({.path = "etc/nsswitch.conf", .source = {}, .text = "hosts: files dns\n"});
  program.folders.push_back({"tmp", 01777, 0});
  program.folders.push_back({std::string(kImageStore).substr(1), 01777, kImageUser});

  ImageDescription image;
  image.name = name;
  image.architecture = image_architecture();
  image.config = {{"Entrypoint", Json::array({kImageProgram})},
                  {"User", fmt::format("{0}:{0}", kImageUser)},
                  {"WorkingDir", "/"},
                  {"StopSignal", "SIGTERM"},
                  {"Env", Json::array({std::string("LD_LIBRARY_PATH=/") + kImageLibraries, "HOME=/tmp",
                                       "XDG_STATE_HOME=/tmp", std::string("XDG_CACHE_HOME=") + kImageStore})},
                  {"Labels", {{kImageLabel, version}}}};
  image.layers = {std::move(libraries), std::move(program)};
  return image;
}

}  // namespace lamina
