#include "serve/access.h"

#include "base/error.h"
#include "base/file.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr const char* kToken = "correct-horse-battery-staple";
constexpr const char* kOther = "another.token_of~some+length/=";

HttpOptions guarded() {
  HttpOptions options;
  options.tokens = {kToken, kOther};
  return options;
}

unsigned status_of(const std::optional<Reply>& reply) { return reply ? reply->status : 200; }

TEST(Tokens, AreReadLineByLineAndCommentsAreSkipped) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "tokens";
  write_file(file, std::string("# ours\n\n") + kToken + "\r\n" + kOther);
  EXPECT_EQ(load_tokens(file), (std::vector<std::string>{kToken, kOther}));
}

TEST(Tokens, ErrorsNameTheLineAndNeverTheToken) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "tokens";
  for (const std::string& bad :
       {std::string("short"), std::string("with a space in it somewhere"), std::string(600, 'x')}) {
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
  const Access access(guarded());
  const auto known = [&](const std::string& header) {
    return access.identify(header, std::nullopt, "here").known;
  };
  const std::string token = kToken;
  EXPECT_TRUE(known("Bearer " + token));
  EXPECT_TRUE(known("bearer  " + token));
  EXPECT_EQ(access.identify(std::string("Bearer ") + kOther, std::nullopt, "here").name, "token 2");
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
  EXPECT_EQ(status_of(access.refuse(stranger, worker, false, Clock::now())), 403U);
  EXPECT_EQ(
      status_of(access.refuse(access.identify("", std::nullopt, "here"), std::nullopt, false, Clock::now())),
      401U);
}

TEST(Callers, StrangersGetWhatIsOpenAndEverybodyAllWhereNobodyNeedsToBeKnown) {
  Access access(guarded());
  const Caller stranger = access.identify("", std::nullopt, "here");
  EXPECT_EQ(status_of(access.refuse(stranger, std::nullopt, true, Clock::now())), 200U);
  EXPECT_EQ(status_of(access.refuse(stranger, std::nullopt, false, Clock::now())), 401U);
  Access open{HttpOptions{}};
  EXPECT_EQ(
      status_of(open.refuse(open.identify("", std::nullopt, "here"), std::nullopt, false, Clock::now())),
      200U);
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
  HttpOptions options = guarded();
  options.max_requests_per_second = 1;
  Access access(options);
  const Caller caller = access.identify(std::string("Bearer ") + kToken, std::nullopt, "here");
  const Clock::time_point now = Clock::now();
  EXPECT_EQ(status_of(access.refuse(caller, std::nullopt, false, now)), 200U);
  const std::optional<Reply> refused = access.refuse(caller, std::nullopt, false, now);
  ASSERT_EQ(status_of(refused), 429U);
  EXPECT_EQ(refused->headers.front(), (std::pair<std::string, std::string>("Retry-After", "1")));
  // Another client goes on meanwhile.
  const Caller other = access.identify(std::string("Bearer ") + kOther, std::nullopt, "here");
  EXPECT_EQ(status_of(access.refuse(other, std::nullopt, false, now)), 200U);
}

}  // namespace
}  // namespace lamina
