// What one hop between two processes of this machine costs: hop_bench PROGRAM, where PROGRAM is lamina.
//
// The same bytes go back and forth between two processes: over a plain TCP socket, over the link that carries
// frames, and through pipelines of one and of three stages that compute nothing, whose difference is two hops
// with all that belongs to them (queues, threads, deadlines). All take turns in one run; a Markdown table
// comes out.
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cluster/data_path.h"
#include "cluster/head.h"
#include "cluster/listener.h"
#include "cluster/process_memory.h"
#include "deploy/local_worker.h"
#include "profile/statistics.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lamina {
namespace {

constexpr std::chrono::seconds kLimit{30};
constexpr std::uint64_t kMaxFrameBytes = std::uint64_t{1} << 30U;

void expect(bool done, const char* what) {
  if (!done) fail(ErrorCode::io, "{} failed", what);
}

// --- plain TCP ---

void transfer(int socket, std::byte* bytes, std::size_t size, bool sending) {
  for (std::size_t at = 0; at < size;) {
    const ssize_t moved = sending ? ::send(socket, bytes + at, size - at, MSG_NOSIGNAL)
                                  : ::recv(socket, bytes + at, size - at, 0);
    if (moved <= 0) fail(ErrorCode::unavailable, "the other end is gone");
    at += static_cast<std::size_t>(moved);
  }
}

// A socket to a child process that sends back whatever comes: 8 bytes of length, then as many bytes.
int open_plain_peer() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  expect(::bind(listener, generic, length) == 0 && ::listen(listener, 1) == 0, "listening");
  ::getsockname(listener, generic, &length);
  const int on = 1;
  if (::fork() == 0) {
    const int socket = ::accept(listener, nullptr, nullptr);
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    std::vector<std::byte> bytes;
    try {
      while (true) {
        std::uint64_t size = 0;
        transfer(socket, reinterpret_cast<std::byte*>(&size), sizeof(size), false);
        bytes.resize(size);
        transfer(socket, bytes.data(), size, false);
        transfer(socket, bytes.data(), size, true);
      }
    } catch (const Error&) {
      ::_exit(0);
    }
  }
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  expect(::connect(socket, generic, length) == 0, "connecting");
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::close(listener);
  return socket;
}

double time_plain(int socket, std::vector<std::byte>& bytes) {
  const Clock::time_point begin = Clock::now();
  std::uint64_t size = bytes.size();
  transfer(socket, reinterpret_cast<std::byte*>(&size), sizeof(size), true);
  transfer(socket, bytes.data(), bytes.size(), true);
  transfer(socket, bytes.data(), bytes.size(), false);
  return seconds_since(begin) / 2;
}

// --- frames ---

TlsFiles tls_in(const std::string& directory) {
  if (directory.empty()) return {};
  return {directory + "/ca.pem", directory + "/cert.pem", directory + "/key.pem"};
}

// One end: a server that frames arrive at and a link that they leave by.
class End {
 public:
  explicit End(const std::string& tls, DataService::Receive receive)
      : tls_(tls_in(tls)), data_(std::move(receive), kMaxFrameBytes) {
    Listener listener = listen_at("127.0.0.1:0", tls_, kMaxFrameBytes, {&data_}, "hop_bench");
    server_ = std::move(listener.server);
    address_ = std::move(listener.address);
  }
  ~End() {
    link_.reset();
    server_->Shutdown(std::chrono::system_clock::now());
  }
  void connect(const std::string& address) { link_ = std::make_unique<DataLink>(address, tls_, nullptr); }
  const std::string& address() const { return address_; }
  DataLink& link() { return *link_; }

 private:
  TlsFiles tls_;
  DataService data_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::unique_ptr<DataLink> link_;
};

// The other process: sends every frame back until its input closes.
int echo_frames(const std::string& address, const std::string& tls) {
  End* self = nullptr;
  End end(tls, [&](Frame frame) { self->link().send(std::move(frame)); });
  self = &end;
  end.connect(address);
  end.link().echo({}, kLimit);
  std::printf("%s\n", end.address().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

class FramePeer {
 public:
  FramePeer(const std::string& program, const std::string& tls)
      : end_(tls, [this](Frame) { arrived_.set_value(); }) {
    const std::string command = fmt::format("'{}' --echo {} '{}'", program, end_.address(), tls);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    expect(::pipe(in.data()) == 0 && ::pipe(out.data()) == 0, "making pipes");
    if (::fork() == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      for (const int file : {in[0], in[1], out[0], out[1]}) ::close(file);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    std::string address;
    char letter = 0;
    while (::read(out[0], &letter, 1) == 1 && letter != '\n') address.push_back(letter);
    end_.connect(address);
    end_.link().echo({}, kLimit);
  }
  ~FramePeer() { ::close(input_); }

  double time(const Tensor& tensor) {
    arrived_ = std::promise<void>();
    std::future<void> back = arrived_.get_future();
    const Clock::time_point begin = Clock::now();
    Frame frame;
    frame.tensors.push_back(narrow(tensor, WireFormat::f32));
    end_.link().send(std::move(frame));
    expect(back.wait_for(kLimit) == std::future_status::ready, "waiting for a frame");
    return seconds_since(begin) / 2;
  }

 private:
  std::promise<void> arrived_;
  End end_;
  int input_ = -1;
};

// --- pipelines ---

class IdlePipeline {
 public:
  IdlePipeline(const std::string& program, const std::string& tls, const TensorType& type, int stages) {
    std::vector<HeadStage> plan;
    for (int i = 0; i < stages; ++i) {
      const std::string name = fmt::format("worker{}", i + 1);
      LocalWorkerOptions options;
      options.device.name = name;
      options.device.threads = 2;
      options.device.memory = std::uint64_t{2} << 30U;
      options.directory = directory_.path() / name;
      options.program = program;
      options.tls = tls_in(tls);
      workers_.push_back(std::make_unique<LocalWorker>(std::move(options)));
      Graph graph("nothing");
      graph.add_output("y", graph.add_input("x", type));
      const std::string address = workers_.back()->wait_until_ready(kLimit);
      plan.push_back({"nothing", {{name, address}}, std::move(graph), {}, 0});
    }
    HeadOptions options;
    options.tls = tls_in(tls);
    const Signature signature = signature_of(plan.front().graph);
    head_ = std::make_unique<Head>(signature, std::move(plan), std::move(options));
    head_->start();
  }

  double time(const Tensor& tensor) {
    std::promise<Prediction> answer;
    std::future<Prediction> answered = answer.get_future();
    const Clock::time_point begin = Clock::now();
    head_->predict({tensor}, Deadline(kLimit),
                   [&](Prediction prediction) { answer.set_value(std::move(prediction)); });
    const Prediction prediction = answered.get();
    const double seconds = seconds_since(begin);
    if (prediction.error) throw Error(*prediction.error);
    return seconds;
  }

 private:
  TemporaryDirectory directory_;
  std::vector<std::unique_ptr<LocalWorker>> workers_;
  std::unique_ptr<Head> head_;
};

// --- the table ---

template <typename Run>
double median_of(int count, const Run& run) {
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) seconds.push_back(run());
  return median(seconds);
}

std::string in_microseconds(const std::vector<double>& rounds) {
  return fmt::format("{:.0f} ({:.0f}–{:.0f})", median(rounds) * 1e6, quantile(rounds, 0.25) * 1e6,
                     quantile(rounds, 0.75) * 1e6);
}

std::string ratio(const std::vector<double>& rounds, const std::vector<double>& base) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < rounds.size(); ++i) ratios.push_back(rounds[i] / base[i]);
  return fmt::format("{:.2f} ({:.2f}–{:.2f})", median(ratios), quantile(ratios, 0.25),
                     quantile(ratios, 0.75));
}

void measure(const std::string& self, const std::string& lamina, int plain, const std::string& tls,
             std::int64_t bytes, int rounds, int count) {
  const TensorType type{DType::u8, {bytes}};
  std::vector<std::byte> raw(static_cast<std::size_t>(bytes), std::byte{7});
  const Tensor tensor(type, Buffer::copy(raw));
  FramePeer link(self, "");
  FramePeer link_tls(self, tls);
  IdlePipeline one(lamina, "", type, 1);
  IdlePipeline three(lamina, "", type, 3);
  IdlePipeline one_tls(lamina, tls, type, 1);
  IdlePipeline three_tls(lamina, tls, type, 3);
  std::array<std::vector<double>, 5> seen;
  for (int round = -1; round < rounds; ++round) {
    const std::array<double, 5> now = {
        median_of(count, [&] { return time_plain(plain, raw); }),
        median_of(count, [&] { return link.time(tensor); }),
        median_of(count, [&] { return link_tls.time(tensor); }),
        (median_of(count, [&] { return three.time(tensor); }) -
         median_of(count, [&] { return one.time(tensor); })) /
            2,
        (median_of(count, [&] { return three_tls.time(tensor); }) -
         median_of(count, [&] { return one_tls.time(tensor); })) /
            2,
    };
    for (std::size_t i = 0; i < seen.size() && round >= 0; ++i) seen[i].push_back(now[i]);
  }
  const std::array<const char*, 5> titles = {"plain TCP", "link", "link, mutual TLS", "stage to stage",
                                             "stage to stage, mutual TLS"};
  for (std::size_t i = 0; i < seen.size(); ++i) {
    fmt::print("| {} | {} | {} | {} |\n", bytes, titles[i], in_microseconds(seen[i]),
               i == 0 ? "" : ratio(seen[i], seen[0]));
  }
  std::fflush(stdout);
}

void make_certificates(const std::string& directory) {
  const std::string commands =
      "cd '" + directory +
      "' && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=bench "
      "2>/dev/null && "
      "openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=lamina 2>/dev/null && "
      "printf 'subjectAltName=DNS:lamina' > names && "
      "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 "
      "-extfile names 2>/dev/null";
  expect(std::system(commands.c_str()) == 0, "making certificates with openssl");
}

int run(int count, char** arguments) {
  if (count == 4 && std::string(arguments[1]) == "--echo") return echo_frames(arguments[2], arguments[3]);
  if (count != 2) fail(ErrorCode::invalid_argument, "usage: hop_bench PROGRAM");
  const int plain = open_plain_peer();
  const TemporaryDirectory tls;
  make_certificates(tls.path().string());
  fmt::print("| bytes | way | one hop, µs | over plain TCP |\n| --- | --- | --- | --- |\n");
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  measure(self, arguments[1], plain, tls.path().string(), 4096, 9, 300);
  measure(self, arguments[1], plain, tls.path().string(), 12'845'056, 9, 20);
  return 0;
}

}  // namespace
}  // namespace lamina

int main(int count, char** arguments) {
  lamina::keep_freed_memory();
  try {
    return lamina::run(count, arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "hop_bench: {}\n", error.what());
    return 1;
  }
}
