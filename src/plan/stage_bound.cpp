#include "plan/stage_bound.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace lamina {

namespace {
constexpr double kInfinite = std::numeric_limits<double>::infinity();
}

StageBound::StageBound(const StageCosts& costs, MemoryLevels levels)
    : costs_(costs),
      levels_(std::move(levels)),
      entering_((costs.pieces() + 1) * costs.kinds() * levels_.states(), kInfinite),
      leaving_(entering_.size(), kInfinite) {
  for (std::size_t kind = 0; kind < costs.kinds(); ++kind)
    std::fill_n(&leaving_[at(costs.pieces(), kind)], levels_.states(), costs.way_out(kind));
}

template <typename Visit>
void StageBound::for_each_step(std::size_t kind, double bytes, const Visit& visit) const {
  const std::size_t stride = levels_.stride(kind);
  const std::size_t levels = levels_.levels(kind);
  for (std::size_t level = 0; level < levels; ++level) {
    const double left = levels_.room(kind, level) - bytes;
    if (left < 0) continue;
    const std::size_t after = levels_.level(kind, left);
    for (std::size_t block = 0; block < levels_.states(); block += stride * levels)
      visit(block + level * stride, block + after * stride);
  }
}

void StageBound::enter(std::size_t cut, std::size_t kind) {
  const std::size_t stride = levels_.stride(kind);
  double* const before = &entering_[at(cut, kind)];
  std::fill_n(before, levels_.states(), kInfinite);
  if (levels_.states() == 1) {
    const double price = prices_[kind];
    double least = kInfinite;
    costs_.for_each_stage(
        cut, kind, costs_.budget(kind), [&](std::size_t end, double seconds, std::uint64_t bytes) {
          least = std::min(least, seconds + price * static_cast<double>(bytes) + leaving_[at(end, kind)]);
        });
    *before = least;
    return;
  }
  costs_.for_each_stage(
      cut, kind, costs_.budget(kind), [&](std::size_t end, double seconds, std::uint64_t bytes) {
        const double cost = seconds + prices_[kind] * static_cast<double>(bytes);
        const double* const after = &leaving_[at(end, kind)];
        for_each_step(kind, static_cast<double>(bytes), [&](std::size_t from, std::size_t to) {
          for (std::size_t i = 0; i < stride; ++i)
            before[from + i] = std::min(before[from + i], cost + after[to + i]);
        });
      });
}

void StageBound::leave(std::size_t cut) {
  const std::size_t kinds = costs_.kinds();
  const std::size_t states = levels_.states();
  double* const before = &leaving_[at(cut, 0)];
  std::fill_n(before, kinds * states, kInfinite);
  for (std::size_t to = 0; to < kinds; ++to) {
    const double* const ways = costs_.ways_to(cut, to);
    const double* const after = &entering_[at(cut, to)];
    if (*std::min_element(after, after + states) == kInfinite) continue;
    if (states == 1) {
      for (std::size_t from = 0; from < kinds; ++from)
        before[from] = std::min(before[from], ways[from] + *after);
      continue;
    }
    for (std::size_t from = 0; from < kinds; ++from) {
      const double way = ways[from];
      double* const row = before + from * states;
      for (std::size_t i = 0; i < states; ++i) row[i] = std::min(row[i], way + after[i]);
    }
  }
}

void StageBound::solve(const std::vector<double>& prices) {
  prices_ = prices;
  for (std::size_t cut = costs_.pieces(); cut-- > 0;) {
    for (std::size_t kind = 0; kind < costs_.kinds(); ++kind) enter(cut, kind);
    if (cut > 0) leave(cut);
  }
}

double StageBound::lower_bound() const {
  double least = kInfinite;
  double all = 0;
  for (std::size_t kind = 0; kind < costs_.kinds(); ++kind) {
    least = std::min(least, costs_.way_in(kind) + entering(0, kind, levels_.untouched()));
    all += prices_[kind] * costs_.pool(kind);
  }
  return least - all;
}

std::vector<StageBound::Stage> StageBound::cheapest() const {
  std::vector<Stage> stages;
  std::size_t state = levels_.untouched();
  std::size_t cut = 0;
  std::size_t last = 0;
  while (cut < costs_.pieces()) {
    Stage best{cut, cut, 0};
    double least = kInfinite;
    for (std::size_t kind = 0; kind < costs_.kinds(); ++kind) {
      const double way = cut == 0 ? costs_.way_in(kind) : costs_.ways_to(cut, kind)[last];
      if (way + entering(cut, kind, state) >= least) continue;
      least = way + entering(cut, kind, state);
      best.kind = kind;
    }
    least = kInfinite;
    const std::size_t stride = levels_.stride(best.kind);
    const std::size_t level = state / stride % levels_.levels(best.kind);
    std::size_t next = state;
    costs_.for_each_stage(
        cut, best.kind, costs_.budget(best.kind), [&](std::size_t end, double seconds, std::uint64_t bytes) {
          const double left = levels_.room(best.kind, level) - static_cast<double>(bytes);
          if (left < 0) return;
          const std::size_t after = state - level * stride + levels_.level(best.kind, left) * stride;
          const double cost =
              seconds + prices_[best.kind] * static_cast<double>(bytes) + leaving(end, best.kind, after);
          if (cost >= least) return;
          least = cost;
          best.end = end;
          next = after;
        });
    stages.push_back(best);
    last = best.kind;
    cut = best.end;
    state = next;
  }
  return stages;
}

}  // namespace lamina
