// What a slot needs, made of a head's request: what comes in, and connections to wherever results go.
#pragma once

#include "cluster/data_path.h"
#include "cluster/security.h"
#include "cluster/slot.h"
#include "engine/engine.h"
#include "worker.grpc.pb.h"

#include <memory>
#include <string>
#include <vector>

namespace lamina {

struct SlotLinks {
  std::vector<SlotConsumer> consumers;
  std::shared_ptr<DataLink> head;  // one of theirs where results go to the head
};

// `signature` is that of the slot's stage, `worker` the name of this one. Error(invalid_argument) for a
// request that does not fit the stage.
SlotRoute route_of(const v1::ConnectRequest& request, const Signature& signature, const std::string& worker);

// Returns once all ends have answered: Error(unavailable) or Error(deadline_exceeded) where one does not in
// the time that the request allows. Error(invalid_argument) as above. A link that breaks later is logged.
SlotLinks connect_slot(const v1::ConnectRequest& request, const Signature& signature,
                       const std::string& worker, const TlsFiles& tls);

}  // namespace lamina
