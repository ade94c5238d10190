#include "cluster/blueprint.h"

namespace lamina {

std::set<std::string> machines_of(const Blueprint& blueprint) {
  std::set<std::string> machines;
  for (const HeadStage& stage : blueprint.stages) {
    for (const HeadReplica& replica : stage.replicas) machines.insert(replica.worker);
  }
  return machines;
}

}  // namespace lamina
