// Open files of the system.
#pragma once

#include <utility>

#include <unistd.h>

namespace lamina {

// Owns a file descriptor; below 0: none.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

// Raises this process's limit of open files to the most that the system grants it: what was usual for one
// process long ago is soon used up by strangers who open connections.
void allow_most_descriptors();

}  // namespace lamina
