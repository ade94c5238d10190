#include "plan/constraints.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/problem.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

namespace lamina {

namespace {

constexpr double kForbidden = std::numeric_limits<double>::infinity();

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Constraints parse() {
    Constraints constraints;
    skip_space();
    while (at_ < text_.size()) {
      const std::string key = word("=");
      expect('=');
      parse_set(key, constraints);
      skip_space();
      if (at_ < text_.size()) expect(',');
      skip_space();
    }
    return constraints;
  }

 private:
  [[noreturn]] void broken(const std::string& expected) const {
    fail(ErrorCode::invalid_argument,
         "constraints break off at '{}', expected {} as in must={{block1_conv1:vm4}},mustnot={{fc*:vm4}}",
         text_.substr(std::min(at_, text_.size())), expected);
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) broken(std::string("'") + c + "'");
  }
  // Up to one of `ends`, or between quotes.
  std::string word(std::string_view ends) {
    skip_space();
    const char quote = at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'') ? text_[at_] : '\0';
    if (quote != '\0') {
      const std::size_t end = text_.find(quote, at_ + 1);
      if (end == std::string_view::npos) broken("a closing quote");
      std::string value(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      if (value.empty()) broken("a name");
      return value;
    }
    const std::size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
    std::string value(text_.substr(at_, end - at_));
    while (!value.empty() && value.back() == ' ') value.pop_back();
    if (value.empty()) broken("a name");
    at_ = end;
    return value;
  }
  void parse_set(const std::string& key, Constraints& constraints) {
    expect('{');
    if (accept('}')) return;
    do {
      if (key == "must") {
        constraints.must.push_back(slice_and_device());
      } else if (key == "mustnot") {
        constraints.must_not.push_back(slice_and_device());
      } else if (key == "use") {
        constraints.use.push_back(word(",}"));
      } else if (key == "avoid") {
        constraints.avoid.push_back(word(",}"));
      } else if (key == "private") {
        constraints.private_layers = std::max(constraints.private_layers, whole_number());
      } else if (key == "bytes") {
        LinkLimit limit;
        limit.from = word(">,}:{=");
        expect('>');
        limit.to = word(":,}{=");
        expect(':');
        limit.bytes = parse_bytes(word(",}"), "bytes of " + limit.from + ">" + limit.to);
        constraints.bytes.push_back(std::move(limit));
      } else if (key == "time") {
        constraints.time.push_back(device_time());
      } else {
        fail(ErrorCode::invalid_argument,
             "constraints begin with '{}', expected must, mustnot, use, avoid, private, bytes or time", key);
      }
    } while (accept(','));
    expect('}');
  }
  Constraint slice_and_device() {
    Constraint constraint;
    constraint.pattern = word(":,}{=");
    expect(':');
    constraint.device = word(":,}{=");
    return constraint;
  }
  std::size_t whole_number() {
    const std::string text = word(",}");
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
      fail(ErrorCode::invalid_argument, "private={{{}}}, expected a number of layers", text);
    return number;
  }
  DeviceTime device_time() {
    DeviceTime limit;
    limit.device = word(":,}{=");
    expect(':');
    const std::string text = word(",}");
    if (text.back() != '%') {
      limit.seconds = std::chrono::duration<double>(parse_duration(text, "time of " + limit.device)).count();
      return limit;
    }
    double percent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size() - 1, percent);
    if (error != std::errc() || *end != '%' || !(percent >= 0) || !(percent <= 100))
      fail(ErrorCode::invalid_argument, "time={{{}:{}}}, expected 0% to 100%", limit.device, text);
    limit.share = percent / 100;
    return limit;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// '*' stands for any run of letters.
bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::optional<std::size_t> star;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star) {
      p = *star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<std::size_t> find_pieces(const std::string& pattern,
                                     const std::vector<std::vector<std::string>>& layers,
                                     const PlacementProblem& problem) {
  std::vector<std::size_t> found;
  for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) {
    const bool named = matches(pattern, problem.pieces[piece].name) ||
                       std::any_of(layers[piece].begin(), layers[piece].end(),
                                   [&](const std::string& layer) { return matches(pattern, layer); });
    if (named) found.push_back(piece);
  }
  if (!found.empty()) return found;
  std::string known;
  for (const PlanPiece& piece : problem.pieces) known += (known.empty() ? "" : ", ") + piece.name;
  fail(ErrorCode::invalid_argument, "a constraint names slice '{}', expected one of: {}", pattern, known);
}

bool has_layer(const PlanBranch& branch, const std::string& pattern) {
  return matches(pattern, branch.name) ||
         std::any_of(branch.layers.begin(), branch.layers.end(),
                     [&](const std::string& layer) { return matches(pattern, layer); });
}

// Branches that hold one of the layers run on `device` alone, or anywhere but there.
void keep_branches(PlacementProblem& problem, const std::vector<std::string>& patterns, std::size_t device,
                   bool there) {
  for (PlanBlock& block : problem.blocks) {
    for (PlanBranch& branch : block.branches) {
      const bool named = std::any_of(patterns.begin(), patterns.end(),
                                     [&](const std::string& pattern) { return has_layer(branch, pattern); });
      for (std::size_t other = 0; named && other < branch.cost.size(); ++other) {
        if ((other == device) != there) branch.cost[other].seconds = kForbidden;
      }
    }
  }
}

bool in_block(const PlacementProblem& problem, std::size_t piece) {
  return std::any_of(problem.blocks.begin(), problem.blocks.end(), [&](const PlanBlock& block) {
    return piece >= block.first_piece && piece < block.end_piece;
  });
}

// A piece and the constraint that puts it on a device.
using Placed = std::map<std::size_t, std::pair<std::size_t, std::string>>;

void apply_must(const std::string& what, const std::vector<std::size_t>& pieces, std::size_t device,
                PlacementProblem& problem, Placed& placed) {
  for (const std::size_t piece : pieces) {
    const auto [before, fresh] = placed.emplace(piece, std::pair(device, what));
    // A piece may hold layers of several branches, which may be on several devices.
    if (!fresh && before->second.first != device && !in_block(problem, piece)) {
      fail(ErrorCode::invalid_argument, "slice '{}' must be on '{}' ({}) and on '{}' ({})",
           problem.pieces[piece].name, problem.devices[before->second.first].name, before->second.second,
           problem.devices[device].name, what);
    }
    for (std::size_t other = 0; other < problem.devices.size(); ++other) {
      if (other != device) problem.cost[other][piece].seconds = kForbidden;
    }
  }
}

// The pieces of the first layers.
std::vector<std::size_t> first_pieces(std::size_t count,
                                      const std::vector<std::vector<std::string>>& layers) {
  std::vector<std::size_t> pieces;
  std::size_t before = 0;
  for (std::size_t piece = 0; piece < layers.size() && before < count; ++piece) {
    pieces.push_back(piece);
    before += layers[piece].size();
  }
  if (before < count)
    fail(ErrorCode::invalid_argument, "private={{{}}}, but the model has {} layers", count, before);
  return pieces;
}

std::vector<std::string> first_layers(std::size_t count,
                                      const std::vector<std::vector<std::string>>& layers) {
  std::vector<std::string> first;
  for (const auto& piece : layers) {
    for (const std::string& layer : piece) {
      if (first.size() < count) first.push_back(layer);
    }
  }
  return first;
}

void apply_avoid(const std::string& device, PlacementProblem& problem, const Placed& placed) {
  const std::size_t avoided = find_device(problem, device, "a constraint");
  for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) {
    const auto before = placed.find(piece);
    if (before != placed.end() && before->second.first == avoided) {
      fail(ErrorCode::invalid_argument, "slice '{}' must be on '{}' ({}), which is to be avoided",
           problem.pieces[piece].name, device, before->second.second);
    }
  }
  forbid_device(problem, avoided);
}

}  // namespace

Constraints parse_constraints(std::string_view text) { return Parser(text).parse(); }

std::vector<std::string> to_strings(const Constraints& constraints) {
  std::vector<std::string> texts;
  for (const Constraint& one : constraints.must)
    texts.push_back(fmt::format("must={{{}:{}}}", one.pattern, one.device));
  for (const Constraint& one : constraints.must_not)
    texts.push_back(fmt::format("mustnot={{{}:{}}}", one.pattern, one.device));
  for (const std::string& device : constraints.use) texts.push_back(fmt::format("use={{{}}}", device));
  for (const std::string& device : constraints.avoid) texts.push_back(fmt::format("avoid={{{}}}", device));
  if (constraints.private_layers > 0)
    texts.push_back(fmt::format("private={{{}}}", constraints.private_layers));
  for (const LinkLimit& one : constraints.bytes)
    texts.push_back(fmt::format("bytes={{{}>{}:{}}}", one.from, one.to, one.bytes));
  for (const DeviceTime& one : constraints.time) {
    texts.push_back(std::isfinite(one.seconds)
                        ? fmt::format("time={{{}:{:g}ms}}", one.device, one.seconds * 1e3)
                        : fmt::format("time={{{}:{:g}%}}", one.device, one.share * 100));
  }
  return texts;
}

Constraints keep_only(const Constraints& constraints, const std::vector<bool>& kept) {
  std::size_t at = 0;
  const auto some_of = [&](const auto& all) {
    std::remove_cvref_t<decltype(all)> some;
    for (const auto& one : all) {
      if (kept[at++]) some.push_back(one);
    }
    return some;
  };
  // In the order of to_strings().
  Constraints some;
  some.must = some_of(constraints.must);
  some.must_not = some_of(constraints.must_not);
  some.use = some_of(constraints.use);
  some.avoid = some_of(constraints.avoid);
  if (constraints.private_layers > 0 && kept[at++]) some.private_layers = constraints.private_layers;
  some.bytes = some_of(constraints.bytes);
  some.time = some_of(constraints.time);
  return some;
}

void apply_constraints(const Constraints& constraints, const std::vector<std::vector<std::string>>& layers,
                       PlacementProblem& problem) {
  Placed placed;
  for (const Constraint& constraint : constraints.must) {
    const std::size_t device = find_device(problem, constraint.device, "a constraint");
    apply_must("must '" + constraint.pattern + "'", find_pieces(constraint.pattern, layers, problem), device,
               problem, placed);
    keep_branches(problem, {constraint.pattern}, device, true);
  }
  if (constraints.private_layers > 0) {
    apply_must("private", first_pieces(constraints.private_layers, layers), problem.source, problem, placed);
    keep_branches(problem, first_layers(constraints.private_layers, layers), problem.source, true);
  }
  for (const Constraint& constraint : constraints.must_not) {
    const std::size_t device = find_device(problem, constraint.device, "a constraint");
    for (const std::size_t piece : find_pieces(constraint.pattern, layers, problem)) {
      const auto before = placed.find(piece);
      if (before != placed.end() && before->second.first == device) {
        fail(ErrorCode::invalid_argument, "slice '{}' must be on '{}' ({}) and must not ('{}')",
             problem.pieces[piece].name, constraint.device, before->second.second, constraint.pattern);
      }
      problem.cost[device][piece].seconds = kForbidden;
    }
    keep_branches(problem, {constraint.pattern}, device, false);
  }
  for (const std::string& device : constraints.avoid) apply_avoid(device, problem, placed);
  for (const std::string& device : constraints.use)
    problem.devices[find_device(problem, device, "a constraint")].required = true;
  for (const LinkLimit& limit : constraints.bytes) {
    LinkCost& link = problem.links[find_device(problem, limit.from, "a constraint")]
                                  [find_device(problem, limit.to, "a constraint")];
    link.max_bytes = std::min(link.max_bytes, limit.bytes);
  }
}

std::vector<TimeLimit> time_limits(const Constraints& constraints, const PlacementProblem& problem) {
  std::vector<TimeLimit> limits;
  for (const DeviceTime& time : constraints.time)
    limits.push_back({find_device(problem, time.device, "a constraint"), time.seconds, time.share});
  return limits;
}

}  // namespace lamina
