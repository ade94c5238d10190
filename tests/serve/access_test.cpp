#include "serve/access.h"

#include "base/error.h"
#include "base/file.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr const char* kToken = "correct-horse-battery-staple";
constexpr const char* kOther = "another.token_of~some+length/=";

// Options with a file of tokens.
class Guarded {
 public:
  explicit Guarded(const std::string& tokens = std::string(kToken) + "\n" + kOther + "\n") {
    write_file(file(), tokens);
    options_.tokens = file();
  }
  std::filesystem::path file() const { return directory_.path() / "tokens"; }
  const HttpOptions& options() const { return options_; }

 private:
  TemporaryDirectory directory_;
  HttpOptions options_;
};

unsigned status_of(const std::optional<Reply>& reply) { return reply ? reply->status : 200; }

TEST(Tokens, AreReadLineByLineAndCommentsAreSkipped) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "tokens";
  write_file(file, std::string("# ours\n\n") + kToken + "\r\n" + kOther);
  const std::vector<Token> tokens = load_tokens(file);
  ASSERT_EQ(tokens.size(), 2U);
  EXPECT_EQ(tokens[0].text, kToken);
  EXPECT_EQ(tokens[1].text, kOther);
}

TEST(Tokens, ErrorsNameTheLineAndNeverTheToken) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "tokens";
  for (const std::string& bad :
       {std::string("short"), std::string("with a space in it somewhere"), std::string(600, 'x'),
        std::string("one-with-a-role-that-is-none everything"),
        std::string("one-with-too-many-words predict watch")}) {
    write_file(file, std::string(kToken) + "\n" + bad + "\n");
    try {
      load_tokens(file);
      FAIL() << bad;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("line 2"), std::string::npos) << message;
      EXPECT_EQ(message.find(bad), std::string::npos) << message;
      EXPECT_EQ(message.find(kToken), std::string::npos) << message;
    }
  }
  write_file(file, "# nothing\n");
  EXPECT_THROW(load_tokens(file), Error);
  EXPECT_THROW(load_tokens(directory.path() / "absent"), Error);
}

TEST(Callers, AreKnownByATokenAndByNothingThatResemblesIt) {
  const Guarded guarded;
  Access access(guarded.options());
  const auto known = [&](const std::string& header) {
    return access.identify(header, std::nullopt, "here").known;
  };
  const std::string token = kToken;
  EXPECT_TRUE(known("Bearer " + token));
  EXPECT_TRUE(known("bearer  " + token));
  EXPECT_NE(access.identify(std::string("Bearer ") + kOther, std::nullopt, "here").name,
            access.identify("Bearer " + token, std::nullopt, "here").name);
  for (const std::string& wrong :
       {std::string(), std::string("Bearer"), std::string("Bearer "), token, "Basic " + token,
        "Bearer " + token + "x", "Bearer " + token.substr(1), "Bearer " + token.substr(0, token.size() - 1),
        "Bearer " + token + " ", "Bearer\t" + token, "Bearer " + token + "," + token}) {
    EXPECT_FALSE(known(wrong)) << "'" << wrong << "'";
  }
}

TEST(Callers, ACertificateOfAClientIsKnownAndOneOfAProcessIsNot) {
  HttpOptions options;
  options.tls = {"cert", "key", "authority"};
  Access access(options);
  const PeerCertificate client{"alice", false};
  const PeerCertificate worker{"worker", true};
  EXPECT_TRUE(access.identify("", client, "here").known);
  const Caller stranger = access.identify("", worker, "here");
  EXPECT_FALSE(stranger.known);
  EXPECT_EQ(status_of(access.refuse(stranger, worker, Right::predict, Clock::now())), 403U);
  EXPECT_EQ(status_of(access.refuse(access.identify("", std::nullopt, "here"), std::nullopt, Right::predict,
                                    Clock::now())),
            401U);
}

TEST(Callers, StrangersGetWhatIsOpenAndEverybodyAllWhereNobodyNeedsToBeKnown) {
  const Guarded guarded;
  Access access(guarded.options());
  const Caller stranger = access.identify("", std::nullopt, "here");
  EXPECT_EQ(status_of(access.refuse(stranger, std::nullopt, Right::none, Clock::now())), 200U);
  EXPECT_EQ(status_of(access.refuse(stranger, std::nullopt, Right::predict, Clock::now())), 401U);
  Access open{HttpOptions{}};
  EXPECT_EQ(status_of(open.refuse(open.identify("", std::nullopt, "here"), std::nullopt, Right::predict,
                                  Clock::now())),
            200U);
}

TEST(Callers, ATokenWithARoleIsGoodForThatAlone) {
  const Guarded guarded(
      "for-everything-there-is\nfor-predicting-alone  predict\nfor-watching-alone\twatch\r\n");
  Access access(guarded.options());
  const auto status = [&](const std::string& token, Right right) {
    return status_of(access.refuse(access.identify("Bearer " + token, std::nullopt, "here"), std::nullopt,
                                   right, Clock::now()));
  };
  const std::vector<Right> rights = {Right::none, Right::look, Right::predict, Right::watch, Right::operate};
  const auto row = [&](const std::string& token) {
    std::vector<unsigned> row;
    for (const Right right : rights) row.push_back(status(token, right));
    return row;
  };
  EXPECT_EQ(row("for-everything-there-is"), (std::vector<unsigned>{200, 200, 200, 200, 200}));
  EXPECT_EQ(row("for-predicting-alone"), (std::vector<unsigned>{200, 200, 200, 403, 403}));
  EXPECT_EQ(row("for-watching-alone"), (std::vector<unsigned>{200, 200, 403, 200, 403}));
  EXPECT_EQ(row("for-nothing-at-all"), (std::vector<unsigned>{200, 401, 401, 401, 401}));
}

TEST(Callers, TokensAreReadAgainWhenTheirFileChanges) {
  const Guarded guarded;
  Access access(guarded.options());
  const auto known = [&](const std::string& token) {
    return access.identify("Bearer " + token, std::nullopt, "here").known;
  };
  const auto comes_true = [](const auto& condition) {
    const Deadline deadline{std::chrono::seconds(20)};
    while (!condition() && !deadline.passed()) continue;
    return condition();
  };
  write_file(guarded.file(), std::string(kOther) + "\nnew-token-of-some-length\n");
  EXPECT_TRUE(comes_true([&] { return known("new-token-of-some-length"); }));
  EXPECT_TRUE(known(kOther));
  EXPECT_FALSE(known(kToken)) << "withdrawn";
  // What is no file of tokens changes nothing; the next that is one does.
  write_file(guarded.file(), "short\n");
  const Deadline rest{std::chrono::milliseconds(1500)};
  while (!rest.passed()) EXPECT_TRUE(known(kOther));
  write_file(guarded.file(), std::string(kToken) + "\n");
  EXPECT_TRUE(comes_true([&] { return known(kToken) && !known(kOther); }));
}

TEST(Rates, EachClientHasItsOwnAndATimeToComeBack) {
  RateLimit limit(2);
  const Clock::time_point now = Clock::now();
  EXPECT_EQ(limit.wait_of("a", now).count(), 0);
  EXPECT_EQ(limit.wait_of("a", now).count(), 0);
  EXPECT_NEAR(limit.wait_of("a", now).count(), 0.5, 1e-6);
  EXPECT_EQ(limit.wait_of("b", now).count(), 0);
  EXPECT_EQ(limit.wait_of("a", now + std::chrono::milliseconds(501)).count(), 0);
  EXPECT_GT(limit.wait_of("a", now + std::chrono::milliseconds(502)).count(), 0);
  // Rest is no credit beyond a second's worth.
  const Clock::time_point later = now + std::chrono::hours(1);
  EXPECT_EQ(limit.wait_of("a", later).count(), 0);
  EXPECT_EQ(limit.wait_of("a", later).count(), 0);
  EXPECT_GT(limit.wait_of("a", later).count(), 0);
}

TEST(Rates, StrangersOfManyAddressesShareOneBucketOnceTheTableIsFull) {
  RateLimit limit(1);
  const Clock::time_point now = Clock::now();
  int admitted = 0;
  for (int i = 0; i < 10'100; ++i) {
    if (limit.wait_of(std::to_string(i), now).count() == 0) ++admitted;
  }
  EXPECT_EQ(admitted, 10'001);
  // Who has been quiet makes room again.
  EXPECT_EQ(limit.wait_of("new", now + std::chrono::seconds(2)).count(), 0);
}

TEST(Rates, BeyondTheLimitTheReplySaysWhenToComeBack) {
  const Guarded guarded;
  HttpOptions options = guarded.options();
  options.max_requests_per_second = 1;
  Access access(options);
  const Caller caller = access.identify(std::string("Bearer ") + kToken, std::nullopt, "here");
  const Clock::time_point now = Clock::now();
  EXPECT_EQ(status_of(access.refuse(caller, std::nullopt, Right::predict, now)), 200U);
  const std::optional<Reply> refused = access.refuse(caller, std::nullopt, Right::predict, now);
  ASSERT_EQ(status_of(refused), 429U);
  EXPECT_EQ(refused->headers.front(), (std::pair<std::string, std::string>("Retry-After", "1")));
  // Another client goes on meanwhile.
  const Caller other = access.identify(std::string("Bearer ") + kOther, std::nullopt, "here");
  EXPECT_EQ(status_of(access.refuse(other, std::nullopt, Right::predict, now)), 200U);
}

}  // namespace
}  // namespace lamina
