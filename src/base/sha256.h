// SHA-256 (FIPS 180-4), the content hash of weights, graphs and stages.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lamina {

// The hash of `bytes` as 64 lowercase hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);
std::string sha256(std::string_view text);

// Whether `text` could be such a hash. Check before using one from outside as a file name.
bool is_sha256(std::string_view text);

// The same hash over bytes that arrive in parts. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::span<const std::byte> bytes);
  // Ends the hash; call once.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lamina
