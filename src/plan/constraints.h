// "must={slice:device,…},mustnot={…}": where pieces have to be, and where they must not.
#pragma once

#include "plan/cost_model.h"

#include <string>
#include <string_view>
#include <vector>

namespace lamina {

struct Constraint {
  std::string pattern;  // the name of a piece or of a layer in it; '*' stands for any letters
  std::string device;
};

struct Constraints {
  std::vector<Constraint> must;
  std::vector<Constraint> must_not;
};

// Names may stand in quotes; a key may stand several times. Error(invalid_argument) quotes where the text
// breaks off.
Constraints parse_constraints(std::string_view text);

// Makes what is forbidden infinitely slow. `layers[piece]` names the layers of each piece.
// Error(invalid_argument) for a pattern that matches no piece (naming what there is), an unknown device, or
// two demands that contradict.
void apply_constraints(const Constraints& constraints, const std::vector<std::vector<std::string>>& layers,
                       PlacementProblem& problem);

}  // namespace lamina
