// A model and its plan as a directory that runs anywhere with Docker Compose (docs/formats.md):
//   model.json, weights.safetensors   the sliced model, weights once
//   plan.json                         the plan, of the devices it uses
//   benchmark.json, calibration*.npy  where there are such: what to plan anew with when a worker is lost
//   docker-compose.yml                a service for each of them and the head
//   .env                              parameters, the one file that is meant to be changed
//   image.tar                         the image, where asked for
//   secrets/                          where asked for: place for what `lamina cert` makes and for `tokens`
//   manifest.json                     the SHA-256 of every other file but .env and secrets/, and the names of
//                                     the files that secrets/ must have
#pragma once

#include "deploy/compose_file.h"
#include "plan/plan.h"
#include "slice/artifact.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace lamina {

struct BundleOptions {
  ComposeFileOptions compose;
  // Writes the image to the path it is given; none: it is referred to by its name alone.
  std::function<void(const std::filesystem::path&)> write_image;
  // A file of tokens to put into secrets/ (mode 0400); empty: whoever starts the bundle puts one there.
  std::filesystem::path tokens;
};

// A plan that runs a whole model on one worker named worker1, without limits.
Plan plan_for_one_worker(const SlicedModel& model, const std::string& model_hash);

// Copies a file so that the containers' user can read it.
void copy_into_bundle(const std::filesystem::path& from, const std::filesystem::path& to);

// Puts what the head plans anew with into `directory`: what was measured of the model in `source`, and the
// inputs that the plan's wire formats were tried on, which `plan` names by their copies from then on. Returns
// why nothing was put there; empty where it was.
std::string put_measurements(const std::filesystem::path& source, const std::filesystem::path& directory,
                             Plan& plan);

// Writes `model` and what runs it to `directory`, all of it or nothing. `save_model` writes the sliced model
// into the directory that it is given and returns the plan. Error(already_exists) where there is something.
void write_bundle(const std::filesystem::path& directory,
                  const std::function<Plan(const std::filesystem::path&)>& save_model,
                  const BundleOptions& options);

// Whether a manifest stands in the directory.
bool is_bundle(const std::filesystem::path& directory);

// Names of the files in secrets/ that it needs to start.
std::vector<std::string> secrets_of_bundle(const std::filesystem::path& directory);
// Whether certificates are among them: its head then serves HTTPS.
bool is_tls_bundle(const std::filesystem::path& directory);

// Error(not_found) naming a file that secrets/ lacks and what makes it; Error(invalid_argument) for one that
// `user`, UID:GID, may not read.
void check_secrets(const std::filesystem::path& directory, const std::string& user);

// Error(corrupt) naming the first file that is not as the manifest has it, or missing.
void check_bundle(const std::filesystem::path& directory);

}  // namespace lamina
