// Damage for readers of files: random, and the same on every run.
#pragma once

#include <cstddef>
#include <random>
#include <string>

namespace lamina {

using Random = std::mt19937_64;

// A number from 0 to `count` - 1.
inline std::size_t pick(Random& random, std::size_t count) {
  return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
}

// `bytes` with one to three random changes: cut short, made longer, bytes changed, parts doubled or removed,
// digits turned into enormous numbers.
inline std::string mutate(std::string bytes, Random& random) {
  for (std::size_t changes = 1 + pick(random, 3); changes > 0; --changes) {
    const std::size_t at = pick(random, bytes.size() + 1);
    const std::size_t length = pick(random, 16);
    switch (pick(random, 7)) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.append(1 + length, static_cast<char>(random()));
        break;
      case 2:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random());
        break;
      case 3:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << pick(random, 8)));
        break;
      case 4:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 5:
        bytes.erase(at, length);
        break;
      default: {
        const std::size_t digit = bytes.find_first_of("0123456789", at);
        if (digit != std::string::npos)
          bytes.insert(digit, pick(random, 2) == 0 ? "-" : "9223372036854775807");
      }
    }
  }
  return bytes;
}

}  // namespace lamina
