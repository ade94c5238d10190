#include "plan/constraints.h"

#include "base/error.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

namespace lamina {

namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Constraints parse() {
    Constraints constraints;
    skip_space();
    while (at_ < text_.size()) {
      const std::string key = word("=");
      if (key != "must" && key != "mustnot") broken("must or mustnot");
      expect('=');
      parse_set(key == "must" ? constraints.must : constraints.must_not);
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
  void parse_set(std::vector<Constraint>& constraints) {
    expect('{');
    if (accept('}')) return;
    do {
      Constraint constraint;
      constraint.pattern = word(":,}{=");
      expect(':');
      constraint.device = word(":,}{=");
      constraints.push_back(std::move(constraint));
    } while (accept(','));
    expect('}');
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

std::size_t find_device(const PlacementProblem& problem, const std::string& name) {
  std::string known;
  for (std::size_t i = 0; i < problem.devices.size(); ++i) {
    if (problem.devices[i].name == name) return i;
    known += (i > 0 ? ", " : "") + problem.devices[i].name;
  }
  fail(ErrorCode::invalid_argument, "a constraint names device '{}', expected one of: {}", name, known);
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

}  // namespace

Constraints parse_constraints(std::string_view text) { return Parser(text).parse(); }

void apply_constraints(const Constraints& constraints, const std::vector<std::vector<std::string>>& layers,
                       PlacementProblem& problem) {
  constexpr double kForbidden = std::numeric_limits<double>::infinity();
  std::map<std::size_t, const Constraint*> placed;  // by piece
  for (const Constraint& constraint : constraints.must) {
    const std::size_t device = find_device(problem, constraint.device);
    for (const std::size_t piece : find_pieces(constraint.pattern, layers, problem)) {
      const auto [before, fresh] = placed.emplace(piece, &constraint);
      if (!fresh && before->second->device != constraint.device) {
        fail(ErrorCode::invalid_argument, "slice '{}' must be on '{}' ('{}') and on '{}' ('{}')",
             problem.pieces[piece].name, before->second->device, before->second->pattern, constraint.device,
             constraint.pattern);
      }
      for (std::size_t other = 0; other < problem.devices.size(); ++other) {
        if (other != device) problem.cost[other][piece].seconds = kForbidden;
      }
    }
  }
  for (const Constraint& constraint : constraints.must_not) {
    const std::size_t device = find_device(problem, constraint.device);
    for (const std::size_t piece : find_pieces(constraint.pattern, layers, problem)) {
      const auto before = placed.find(piece);
      if (before != placed.end() && before->second->device == constraint.device) {
        fail(ErrorCode::invalid_argument, "slice '{}' must be on '{}' ('{}') and must not ('{}')",
             problem.pieces[piece].name, constraint.device, before->second->pattern, constraint.pattern);
      }
      problem.cost[device][piece].seconds = kForbidden;
    }
  }
}

}  // namespace lamina
