// The clients people use: curl, and Python with requests and NumPy.
#include "base/file.h"
#include "serve/fake_orchestrator.h"
#include "serve/http_server.h"
#include "support/python.h"

#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

namespace lamina {
namespace {

HttpOptions any_port() {
  HttpOptions options;
  options.port = 0;
  return options;
}

// Runs a command of the shell; its output and exit status.
std::string shell(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "can't start a shell";
  std::string output;
  std::array<char, 4096> block{};
  for (std::size_t got = 0; (got = std::fread(block.data(), 1, block.size(), pipe)) > 0;) {
    output.append(block.data(), got);
  }
  const int status = ::pclose(pipe);
  return output + (status == 0 ? "" : "failed");
}

TEST(Clients, CurlSendsAndGetsArrays) {
  FakeOrchestrator orchestrator(one_to_one());
  orchestrator.answer = sum_rows;
  orchestrator.state = two_stages();
  const HttpServer server(orchestrator, any_port());
  const TemporaryDirectory directory;
  const std::string in = (directory.path() / "x.npy").string();
  const std::string out = (directory.path() / "y.npy").string();
  const std::string url = "http://127.0.0.1:" + std::to_string(server.port());
  // Over a megabyte curl asks by Expect: 100-continue whether it may send.
  for (const std::string batch : {"1", "100000"}) {
    run_python(
        "import sys, numpy as np\n"
        "np.save(sys.argv[1], np.random.default_rng(1).integers(0, 9, (int(sys.argv[2]), 2, 3)))",
        {in, batch});
    EXPECT_EQ(shell("curl -sS --fail --max-time 20 --data-binary @" + in + " " + url + "/input -o " + out),
              "");
    EXPECT_EQ(run_python("import sys, numpy as np\n"
                         "x, y = np.load(sys.argv[1]), np.load(sys.argv[2])\n"
                         "print(y.dtype, np.array_equal(x.sum(axis=1), y))",
                         {in, out}),
              "float32 True\n");
  }
  EXPECT_EQ(
      shell("curl -sS --max-time 20 -o /dev/null -w '%{http_code} %{content_type}' -I " + url + "/status"),
      "200 application/json");
  EXPECT_EQ(shell("curl -sS --max-time 20 -H 'Transfer-Encoding: chunked' --data-binary @" + in + " " + url +
                  "/input -o /dev/null -w '%{http_code}'"),
            "200");
  // Two on one connection.
  EXPECT_EQ(shell("curl -sS --max-time 20 -o /dev/null -o /dev/null -w '%{http_code} %{num_connects} ' " +
                  url + "/health/ready " + url + "/healthcheck"),
            "200 1 200 0 ");
}

TEST(Clients, PythonRequestsAndNumpyTalkToAModelOfSeveralInputsAndOutputs) {
  FakeOrchestrator orchestrator(
      {{{"a", {DType::f32, {kBatch, 2}}}, {"b", {DType::f32, {kBatch, 2}}}},
       {{"first", {DType::f32, {kBatch, 2}}}, {"second", {DType::f32, {kBatch, 2}}}}});
  orchestrator.answer = [](const std::vector<Tensor>& inputs) { return inputs; };
  orchestrator.state = two_stages();
  HttpOptions options = any_port();
  options.max_body_bytes = 1 << 20;
  const HttpServer server(orchestrator, options);
  EXPECT_EQ(run_python(R"(
import io, sys, numpy as np, requests
url = sys.argv[1]
session = requests.Session()
a = np.random.default_rng(0).normal(size=(4, 2))
b = np.arange(8, dtype=np.uint8).reshape(4, 2)
body = io.BytesIO()
np.savez(body, b=b, a=a)
answer = session.post(url + '/input', data=body.getvalue(), timeout=20)
answer.raise_for_status()
z = np.load(io.BytesIO(answer.content))
assert sorted(z.files) == ['first', 'second'], z.files
assert np.array_equal(z['first'], a.astype(np.float32)) and np.array_equal(z['second'], b)

answer = session.post(url + '/input', params={'output': 'second'}, data=body.getvalue(), timeout=20)
assert np.array_equal(np.load(io.BytesIO(answer.content)), b)

one = io.BytesIO()
np.save(one, a)
answer = session.post(url + '/input', data=one.getvalue(), timeout=20)
assert answer.status_code == 400 and answer.text.startswith('Input dimensions does not match the model'), answer.text

answer = session.post(url + '/input', data=b'x' * (8 << 20), timeout=20)
assert answer.status_code == 413 and answer.json()['error']['code'] == 'invalid_argument'

assert session.get(url + '/activate', timeout=20).json()['pc5']['status'] == 200
for path in ('/', '/status', '/metrics', '/healthcheck', '/workerhealthcheck', '/classes', '/nowhere'):
    for method in ('GET', 'HEAD', 'OPTIONS'):
        answer = session.request(method, url + path, timeout=20)
        assert 'Content-Type' in answer.headers and 'Content-Length' in answer.headers, (method, path)
print('good')
)",
                       {"http://127.0.0.1:" + std::to_string(server.port())}),
            "good\n");
}

}  // namespace
}  // namespace lamina
