#include "plan/objective.h"

#include "base/error.h"

#include <array>
#include <utility>

namespace lamina {

namespace {

constexpr std::array<std::pair<Objective, std::string_view>, 4> kNames = {
    {{Objective::latency, "latency"},
     {Objective::throughput, "throughput"},
     {Objective::memory, "memory"},
     {Objective::devices, "devices"}}};

}  // namespace

std::string_view to_string(Objective objective) {
  for (const auto& [known, name] : kNames) {
    if (known == objective) return name;
  }
  fail(ErrorCode::internal, "an objective without a name");
}

Objective objective_from_string(std::string_view name, std::string_view where) {
  for (const auto& [objective, known] : kNames) {
    if (known == name) return objective;
  }
  fail(ErrorCode::invalid_argument, "{}: objective '{}', expected latency, throughput, memory or devices",
       where, name);
}

}  // namespace lamina
