// The front end against strangers and the clients people use: curl, openssl s_client, Python.
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cluster/certificates.h"
#include "cluster/revocation.h"
#include "graph/npy.h"
#include "serve/fake_orchestrator.h"
#include "serve/http_server.h"
#include "serve/raw_client.h"
#include "support/python.h"
#include "support/shell.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr const char* kToken = "correct-horse-battery-staple";
const std::string kBearer = std::string("-H 'Authorization: Bearer ") + kToken + "' ";

class Guarded : public ::testing::Test {
 protected:
  Guarded() : orchestrator_(one_to_one()) {
    orchestrator_.answer = sum_rows;
    orchestrator_.state = two_stages();
    options_.port = 0;
    options_.max_stranger_requests_per_second = 1e6;
    const Buffer array = write_npy(Tensor::of({1, 2, 3}, std::vector<float>(6, 1.0F)));
    array_ = {reinterpret_cast<const char*>(array.data()), array.size()};
    write_file(file("x.npy"), array_);
  }
  std::string file(const std::string& name) const { return (scratch_.path() / name).string(); }
  // Tokens, each perhaps with its role.
  void know(const std::vector<std::string>& tokens) {
    std::string lines;
    for (const std::string& token : tokens) lines += token + "\n";
    write_file(file("tokens"), lines);
    options_.tokens = file("tokens");
  }
  void make_certificates() {
    create_authority(file("pki"));
    create_certificates(file("pki"),
                        {{"head", CertificateHolder::process, {"localhost", "127.0.0.1"}},
                         {"worker", CertificateHolder::process, {}},
                         {"client", CertificateHolder::client, {}}},
                        1);
    create_authority(file("other"));
    create_certificates(file("other"), {{"client", CertificateHolder::client, {}}}, 1);
    const TlsFiles head = certificate_files(file("pki"), "head");
    options_.tls.certificate = head.certificate;
    options_.tls.key = head.key;
  }
  void start() { server_.emplace(orchestrator_, options_); }
  std::string address() const { return "127.0.0.1:" + std::to_string(server_->port()); }
  // What curl says of the status; "failed" where it got none.
  std::string curl(const std::string& path, const std::string& words = "",
                   const std::string& scheme = "http") {
    const ShellResult result = shell("curl -sS --max-time 20 -o '" + file("answer") + "' -w '%{http_code}' " +
                                     words + " " + scheme + "://" + address() + path);
    return result.status == 0 ? result.output : "failed";
  }
  std::string certificate_words(const std::string& pki, const std::string& name) const {
    return "--cert " + file(pki + "/" + name + ".pem") + " --key " + file(pki + "/" + name + ".key") + " ";
  }
  std::string trusted() const { return "--cacert " + file("pki/authority.pem") + " "; }
  std::string predict() const { return "--data-binary @" + file("x.npy") + " "; }

  TemporaryDirectory scratch_;
  FakeOrchestrator orchestrator_;
  HttpOptions options_;
  std::string array_;
  std::optional<HttpServer> server_;
};

TEST_F(Guarded, AStrangerGetsHealthAndThePageAndNothingElse) {
  know({kToken});
  start();
  for (const char* path :
       {"/metrics", "/status", "/classes", "/connect", "/activate", "/workerhealthcheck", "/nowhere"}) {
    EXPECT_EQ(curl(path), "401") << path;
    EXPECT_NE(read_file(file("answer"), 10'000).find("Authorization: Bearer"), std::string::npos);
    EXPECT_EQ(curl(path, "-H 'Authorization: Bearer wrong-horse-battery-staple'"), "401") << path;
    EXPECT_EQ(curl(path, kBearer), std::string(path) == "/nowhere" ? "404" : "200") << path;
  }
  EXPECT_EQ(curl("/input", predict()), "401");
  EXPECT_EQ(curl("/input", kBearer + predict()), "200");
  EXPECT_EQ(curl("/input", kBearer + kBearer + predict()), "401")
      << "which of two headers counts is not guessed";
  for (const char* path : {"/", "/healthcheck", "/health/live", "/health/ready"})
    EXPECT_EQ(curl(path), "200") << path;
  const std::string challenge =
      shell("curl -sS --max-time 20 -D - -o /dev/null http://" + address() + "/status").output;
  EXPECT_NE(challenge.find("WWW-Authenticate: Bearer"), std::string::npos) << challenge;
}

TEST_F(Guarded, HealthTellsAStrangerNoAddressesAndNoErrors) {
  know({kToken});
  orchestrator_.state.stages[1].ready = false;
  orchestrator_.state.stages[1].error = "secret-machine is out of memory";
  start();
  curl("/healthcheck");
  EXPECT_EQ(read_file(file("answer"), 10'000).find("127.0.0.1:7001"), std::string::npos);
  EXPECT_EQ(curl("/health/ready"), "503");
  EXPECT_EQ(read_file(file("answer"), 10'000).find("secret-machine"), std::string::npos);
  curl("/health/ready", kBearer);
  EXPECT_NE(read_file(file("answer"), 10'000).find("secret-machine"), std::string::npos);
}

TEST_F(Guarded, AStrangersBodyIsNotReadBeforeItIsRefused) {
  know({kToken});
  start();
  RawClient client(server_->port());
  client.send("POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_EQ(client.receive().status, 401);
}

TEST_F(Guarded, APageOfAnotherSiteCanNotMakeABrowserAsk) {
  start();
  EXPECT_EQ(curl("/activate", "-H 'Sec-Fetch-Site: cross-site'"), "403");
  EXPECT_EQ(curl("/input", "-H 'Sec-Fetch-Site: same-site' " + predict()), "403");
  EXPECT_EQ(curl("/input", "-H 'Sec-Fetch-Site: same-origin' " + predict()), "200");
  EXPECT_EQ(curl("/", "-H 'Sec-Fetch-Site: cross-site'"), "200") << "a link to the page";
}

TEST_F(Guarded, OutsideTheLoopbackSomebodyMustBeKnown) {
  options_.address = "0.0.0.0";
  try {
    start();
    FAIL() << "it listens";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    for (const char* way : {"--auth", "--insecure", "0.0.0.0"}) {
      EXPECT_NE(std::string(error.what()).find(way), std::string::npos) << error.what();
    }
  }
  know({kToken});
  EXPECT_NO_THROW(start());
  server_.reset();
  options_.tokens.clear();
  options_.insecure = true;
  EXPECT_NO_THROW(start());
}

TEST_F(Guarded, CurlPredictsByHttpsAndMoreThanOneRequestAConnection) {
  make_certificates();
  start();
  EXPECT_EQ(curl("/input", trusted() + predict(), "https"), "200");
  EXPECT_EQ(read_file(file("answer"), 10'000).substr(1, 5), "NUMPY");
  EXPECT_EQ(
      curl("/input", trusted() + "-H 'Expect: 100-continue' -H 'Transfer-Encoding: chunked' " + predict(),
           "https"),
      "200");
  const std::string url = "https://" + address() + "/health/live ";
  EXPECT_EQ(shell("curl -sS --max-time 20 -o /dev/null -o /dev/null -w '%{http_code} %{num_connects} ' " +
                  trusted() + url + url)
                .output,
            "200 1 200 0 ");
  EXPECT_EQ(curl("/health/live", "", "https"), "failed") << "an authority that the client does not know";
  EXPECT_EQ(curl("/health/live", "", "http"), "failed") << "a client in clear";
  EXPECT_EQ(curl("/health/live", trusted() + "--tls-max 1.1", "https"), "failed");
}

TEST_F(Guarded, OfCertificatesOnlyAClientsOfThisAuthorityIsTaken) {
  make_certificates();
  options_.tls.authority = file("pki/authority.pem");
  know({kToken});
  start();
  EXPECT_EQ(curl("/metrics", trusted() + certificate_words("pki", "client"), "https"), "200");
  EXPECT_EQ(curl("/metrics", trusted(), "https"), "401");
  EXPECT_EQ(curl("/metrics", trusted() + kBearer, "https"), "200");
  EXPECT_EQ(curl("/health/live", trusted(), "https"), "200");
  EXPECT_EQ(curl("/metrics", trusted() + certificate_words("pki", "worker"), "https"), "403");
  EXPECT_NE(read_file(file("answer"), 10'000).find("'worker'"), std::string::npos);
  EXPECT_EQ(curl("/metrics", trusted() + certificate_words("other", "client"), "https"), "failed");
  // One that has expired, by the same authority.
  const std::string pki = file("pki");
  const ShellResult made =
      shell("cd '" + pki +
            "' && openssl req -new -key client.key -subj /CN=late -out late.csr && "
            "openssl x509 -req -in late.csr -CA authority.pem -CAkey authority.key -set_serial 7 "
            "-days -1 -out late.pem && cp client.key late.key");
  ASSERT_EQ(made.status, 0) << made.output;
  EXPECT_EQ(curl("/metrics", trusted() + certificate_words("pki", "late"), "https"), "failed");
}

TEST_F(Guarded, ATokensRoleSaysWhatItMayAskFor) {
  know({kToken, "for-predicting-alone predict", "for-watching-alone watch"});
  start();
  const std::string predicts = "-H 'Authorization: Bearer for-predicting-alone' ";
  const std::string watches = "-H 'Authorization: Bearer for-watching-alone' ";
  EXPECT_EQ(curl("/input", predicts + predict()), "200");
  EXPECT_EQ(curl("/input", watches + predict()), "403");
  EXPECT_EQ(curl("/metrics", predicts), "403");
  EXPECT_NE(read_file(file("answer"), 10'000).find("there to predict"), std::string::npos);
  EXPECT_EQ(curl("/metrics", watches), "200");
  EXPECT_EQ(curl("/workerhealthcheck", watches), "200");
  for (const std::string& token : {predicts, watches}) {
    EXPECT_EQ(curl("/status", token), "200") << "the page shows it";
    EXPECT_EQ(curl("/activate", token), "403");
  }
  EXPECT_EQ(curl("/activate", kBearer), "200");
}

TEST_F(Guarded, ACertificateThatWasTakenBackIsNoLongerGood) {
  make_certificates();
  create_certificates(file("pki"), {{"lost", CertificateHolder::client, {}}}, 1);
  options_.tls.authority = file("pki/authority.pem");
  options_.tls.revoked = file("pki/revoked.pem");
  start();
  EXPECT_EQ(curl("/metrics", trusted() + certificate_words("pki", "lost"), "https"), "200");
  revoke_certificate(file("pki"), "lost");
  const Deadline deadline{std::chrono::seconds(20)};
  while (curl("/metrics", trusted() + certificate_words("pki", "lost"), "https") == "200" &&
         !deadline.passed()) {
  }
  EXPECT_EQ(curl("/metrics", trusted() + certificate_words("pki", "lost"), "https"), "403");
  EXPECT_NE(read_file(file("answer"), 10'000).find("'lost' was taken back"), std::string::npos);
  EXPECT_EQ(curl("/metrics", trusted() + certificate_words("pki", "client"), "https"), "200");
}

TEST_F(Guarded, ANewCertificateIsShownWithoutARestart) {
  make_certificates();
  start();
  ASSERT_EQ(curl("/health/live", trusted(), "https"), "200");
  // By another authority, whose files come one after the other.
  create_certificates(file("other"), {{"head", CertificateHolder::process, {"127.0.0.1"}}}, 1);
  for (const char* name : {"head.pem", "head.key"}) {
    std::filesystem::copy_file(file(std::string("other/") + name), file(std::string("pki/") + name),
                               std::filesystem::copy_options::overwrite_existing);
    const Deadline rest{std::chrono::milliseconds(1100)};
    while (!rest.passed()) EXPECT_NE(curl("/health/live", "-k", "https"), "failed");
  }
  EXPECT_EQ(curl("/health/live", "--cacert " + file("other/authority.pem"), "https"), "200");
  EXPECT_EQ(curl("/health/live", trusted(), "https"), "failed");
}

TEST_F(Guarded, PythonAsksByHttpsAndLargeBodiesComeWhole) {
  make_certificates();
  options_.tls.authority = file("pki/authority.pem");
  start();
  EXPECT_EQ(run_python(R"(
import io, sys, ssl, http.client, numpy as np
port, pki = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=pki + '/authority.pem')
context.load_cert_chain(pki + '/client.pem', pki + '/client.key')
connection = http.client.HTTPSConnection('localhost', port, timeout=20, context=context)
for rows in (1, 100000, 3):
    x = np.random.default_rng(rows).integers(0, 9, (rows, 2, 3)).astype(np.float32)
    body = io.BytesIO()
    np.save(body, x)
    connection.request('POST', '/input', body.getvalue())
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, data
    assert np.array_equal(np.load(io.BytesIO(data)), x.sum(axis=1))
print('good')
)",
                       {std::to_string(server_->port()), file("pki")}),
            "good\n");
}

TEST_F(Guarded, SClientSeesNoOldProtocolAndNoRenegotiation) {
  make_certificates();
  start();
  const std::string connect =
      "openssl s_client -connect " + address() + " -CAfile " + file("pki/authority.pem") + " ";
  const ShellResult good =
      shell("echo | timeout 20 " + connect + "-verify_return_error -verify_hostname localhost -brief");
  EXPECT_NE(good.output.find("Verification: OK"), std::string::npos) << good.output;
  const ShellResult old = shell("echo | timeout 20 " + connect + "-tls1_1 -cipher ALL:@SECLEVEL=0 -brief");
  EXPECT_NE(old.status, 0) << old.output;
}

TEST_F(Guarded, WhoNeverFinishesTheHandshakeIsCutOffAndOthersAreServed) {
  make_certificates();
  options_.header_timeout = std::chrono::milliseconds(300);
  start();
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 50; ++i) silent.push_back(std::make_unique<RawClient>(server_->port()));
  silent.front()->send("\x16\x03\x01");
  EXPECT_EQ(curl("/health/live", trusted(), "https"), "200");
  for (const auto& client : silent) EXPECT_TRUE(client->closed());
}

TEST_F(Guarded, AClientThatAsksTooOftenIsToldWhenToComeBackAndAnotherIsServed) {
  know({kToken, "another-token-of-some-length"});
  options_.max_requests_per_second = 3;
  start();
  const std::string url = " http://" + address() + "/classes";
  std::string urls;
  for (int i = 0; i < 20; ++i) urls += " -o /dev/null" + url;
  const std::string codes = shell("curl -sS --max-time 20 -w '%{http_code} ' " + kBearer + urls).output;
  EXPECT_EQ(codes.substr(0, 12), "200 200 200 ") << codes;
  EXPECT_NE(codes.find("429"), std::string::npos) << codes;
  const std::string refused =
      shell("curl -sS --max-time 20 -D - " + kBearer + url + url + url + url + url).output;
  EXPECT_NE(refused.find("Retry-After: 1"), std::string::npos) << refused;
  EXPECT_EQ(curl("/classes", "-H 'Authorization: Bearer another-token-of-some-length'"), "200");
}

TEST_F(Guarded, OneAddressCanNotTakeAllConnections) {
  options_.max_connections = 8;
  options_.max_connections_per_address = 3;
  start();
  std::vector<std::unique_ptr<RawClient>> greedy;
  for (int i = 0; i < 20; ++i) greedy.push_back(std::make_unique<RawClient>(server_->port()));
  // The first three are served, the next are told so or closed.
  for (int i = 0; i < 3; ++i) {
    greedy[i]->send(get("/health/live"));
    EXPECT_EQ(greedy[i]->receive().status, 200);
  }
  EXPECT_EQ(greedy[3]->receive().status, 429);
  EXPECT_TRUE(greedy[19]->closed());
  // Linux takes the whole of 127.0.0.0/8 for its own: another address, another client.
  EXPECT_EQ(curl("/health/live", "--interface 127.0.0.2"), "200");
}

TEST_F(Guarded, WhereAllConnectionsAreTakenIdleOnesMakeRoom) {
  options_.max_connections = 6;
  start();
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 6; ++i) {
    idle.push_back(std::make_unique<RawClient>(server_->port()));
    if (i % 3 == 1) idle.back()->send("GET /status HTTP/1.1\r\n");
    if (i % 3 == 2) {
      idle.back()->send(get("/health/live"));
      EXPECT_EQ(idle.back()->receive().status, 200);
    }
  }
  // Long before the ten seconds and the minute that they have where there is room.
  const Deadline deadline{std::chrono::seconds(8)};
  int status = 0;
  while (status != 200 && !deadline.passed()) {
    RawClient good(server_->port());
    good.send(get("/health/live"));
    try {
      status = good.receive().status;
    } catch (const std::runtime_error&) {
      status = 0;  // closed without a word
    }
  }
  EXPECT_EQ(status, 200);
}

TEST_F(Guarded, SlowAndOversizeClientsDoNotKeepAGoodOneWaiting) {
  options_.header_timeout = std::chrono::milliseconds(400);
  options_.max_body_bytes = 1 << 20;
  options_.max_buffered_bytes = 4 << 20;
  options_.max_connections_per_address = 60;
  start();
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 40; ++i) {
    slow.push_back(std::make_unique<RawClient>(server_->port()));
    // Some stop within the header, some within a body of a size told or not, some announce too much.
    slow.back()->send("POST /input HTTP/1.1\r\nHost: a\r\n");
    if (i % 4 == 1) slow.back()->send("Content-Length: 1000000\r\n\r\nxx");
    if (i % 4 == 2) slow.back()->send("Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n");
    if (i % 4 == 3) slow.back()->send("Content-Length: 99000000\r\n\r\n");
  }
  for (int i = 0; i < 10; ++i) {
    const RawResponse answer = fetch(server_->port(), post_input(array_));
    EXPECT_EQ(answer.status, 200) << answer.body;
  }
  for (int i = 0; i < 40; ++i) EXPECT_EQ(slow[i]->receive().status, i % 4 == 3 ? 413 : 408) << i;
}

TEST_F(Guarded, SlowClientsAndFloodsOfHeadersByHttpsDoNotKeepAGoodOneWaitingEither) {
  make_certificates();
  options_.header_timeout = std::chrono::milliseconds(1500);
  options_.max_body_bytes = 1 << 20;
  start();
  // Each byte comes well before a timeout would end; what counts is when the whole has come.
  EXPECT_EQ(run_python(R"(
import collections, io, socket, ssl, sys, threading, time, http.client, numpy as np
port, authority = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=authority)
openings = [b'GET /status HTTP/1.1\r\nHost: a\r\nX: ',
            b'POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n',
            b'POST /input HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n90000\r\n',
            b'POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 99000000\r\n\r\n',
            b'GET /status HTTP/1.1\r\nHost: a\r\n' + b'X: y\r\n' * 9000,
            b'GET /status HTTP/1.1\r\nHost: a\r\nX: ' + b'y' * 50000]
told = [408, 408, 408, 413, 431, 431]
answers = collections.Counter()

def be_slow(kind):
    stream = context.wrap_socket(socket.create_connection(('127.0.0.1', port), timeout=20), server_hostname='localhost')
    try:
        stream.sendall(openings[kind])
        stream.settimeout(0.2)
        for _ in range(100):
            try:
                answer = stream.recv(1000)
                break
            except TimeoutError:
                stream.send(b'z')
    except OSError as error:
        answer = b'HTTP/1.1 000 ' + str(error).encode()
    answers[kind, int(answer.split()[1])] += 1

slow = [threading.Thread(target=be_slow, args=(i % 6,)) for i in range(36)]
for thread in slow:
    thread.start()
body = io.BytesIO()
np.save(body, np.ones((1, 2, 3), np.float32))
while any(thread.is_alive() for thread in slow):
    good = http.client.HTTPSConnection('localhost', port, timeout=20, context=context)
    good.request('POST', '/input', body.getvalue())
    assert good.getresponse().status == 200
    good.close()
for kind, status in enumerate(told):
    assert answers[kind, status] == 6, answers
print('good')
)",
                       {std::to_string(server_->port()), file("pki/authority.pem")}),
            "good\n");
}

TEST_F(Guarded, HasteInTheBeginningIsNoCreditForARestInTheEnd) {
  options_.header_timeout = std::chrono::milliseconds(300);
  options_.min_bytes_per_second = 1000;
  start();
  RawClient client(server_->port());
  // 100 kB at once would be good for 100 s at this rate.
  client.send("POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" +
              std::string(100'000, 'x'));
  EXPECT_EQ(client.receive().status, 408);
}

}  // namespace
}  // namespace lamina
