// The page as a browser shows it.
#include "base/file.h"
#include "graph/npy.h"
#include "serve/fake_orchestrator.h"
#include "serve/http_server.h"
#include "support/shell.h"

#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr const char* kToken = "correct-horse-battery-staple";

TEST(Page, AsksForATokenInABrowserAndServesNoPageOfAnotherSite) {
  std::string browser = shell("command -v chromium").output;
  if (browser.empty()) GTEST_SKIP() << "there is no program chromium";
  browser.pop_back();
  const TemporaryDirectory directory;
  FakeOrchestrator orchestrator(one_to_one());
  orchestrator.answer = sum_rows;
  orchestrator.state = two_stages();
  bool activated = false;
  orchestrator.on_activate = [&](PipelineStatus&) { activated = true; };
  const std::string tokens = directory.path() / "tokens";
  write_file(tokens, kToken);
  const Buffer array = write_npy(Tensor::of({1, 2, 3}, std::vector<float>(6, 1.0F)));
  write_file(directory.path() / "x.npy", {reinterpret_cast<const char*>(array.data()), array.size()});
  HttpOptions options;
  options.port = 0;
  const HttpServer open(orchestrator, options);
  options.tokens = tokens;
  const HttpServer guarded(orchestrator, options);

  const auto url = [](const HttpServer& server) {
    return "http://127.0.0.1:" + std::to_string(server.port());
  };
  const ShellResult result = shell("timeout 120 python3 '" LAMINA_SOURCE_DIR "/tests/serve/browser.py' " +
                                   browser + " " + url(guarded) + "/ " + kToken + " '" +
                                   (directory.path() / "x.npy").string() + "' '" + tokens + "' " + url(open));
  EXPECT_EQ(result.output, "good\n");
  EXPECT_FALSE(activated);
}

}  // namespace
}  // namespace lamina
