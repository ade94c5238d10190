#include "cluster/machines.h"

#include "base/file.h"
#include "cluster/fake_engine.h"
#include "cluster/worker_server.h"
#include "support/wait_until.h"

#include <chrono>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(KnownMachines, WhatChangedSinceItWasPlannedForIsNotMissed) {
  const TemporaryDirectory directory;
  WorkerOptions worker;
  worker.name = "one";
  worker.store = directory.path();
  worker.loaded_engine = std::make_shared<FakeEngine>();
  const WorkerServer server(worker);
  Machines machines(
      {"one"}, [&](const std::string&) { return server.address(); }, {.heartbeat = {milliseconds(100), 100}},
      {}, [] {});
  machines.start();
  ASSERT_TRUE(machines.wait_for({"one"}, seconds(10)));
  ASSERT_TRUE(machines.note_refusal("one"));
  EXPECT_TRUE(machines.conditions().machines.empty());
  const std::optional<Clock::time_point> next = machines.next_change();
  ASSERT_TRUE(next);
  wait_until([&] { return Clock::now() > *next; });
  // The machine is trusted again, and nobody has planned for it yet.
  EXPECT_EQ(machines.next_change(), next);
  EXPECT_EQ(machines.conditions().machines, std::set<std::string>{"one"});
  EXPECT_FALSE(machines.next_change());
}

}  // namespace
}  // namespace lamina
