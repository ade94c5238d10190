// A client that sends exactly the bytes a test gives it, in the pieces and at the times it wants.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace lamina {

struct RawResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// Every wait ends after ten seconds with std::runtime_error.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Sends all of it; false when the server has closed.
  bool send(std::string_view bytes);
  // The next response; `head` when it was asked for with HEAD. Throws when the connection ends before it is
  // whole.
  RawResponse receive(bool head = false);
  // Whether something has come that was not received yet.
  bool readable();
  // Whether the server closes the connection within ten seconds, sending nothing more.
  bool closed();
  void close();

 private:
  // Waits for more bytes and appends them to pending_; false at the end of the stream.
  bool more();

  int socket_ = -1;
  std::string pending_;
};

// "POST /input …" with the body.
std::string post_input(std::string_view body, const std::string& target = "/input",
                       const std::string& headers = "");
std::string get(const std::string& target);

// One request on a connection of its own.
RawResponse fetch(std::uint16_t port, const std::string& request);

}  // namespace lamina
