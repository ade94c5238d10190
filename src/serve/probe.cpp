#include "serve/probe.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

namespace lamina {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

// One request, step by step; whatever fails ends it.
class Probe {
 public:
  Probe(asio::io_context& io, const std::string& host, int port, bool tls, const std::string& target)
      : tls_(tls), resolver_(io), stream_(io, context_) {
    request_.version(11);
    request_.method(http::verb::get);
    request_.target(target);
    request_.set(http::field::host, host);
    request_.set(http::field::connection, "close");
    resolver_.async_resolve(host, std::to_string(port), [this](error_code error, const auto& found) {
      if (!error) connect(found);
    });
  }
  std::optional<ProbeAnswer> answer() const {
    if (!answered_) return std::nullopt;
    return ProbeAnswer{reply_.result_int(), reply_.body()};
  }

 private:
  void connect(const asio::ip::tcp::resolver::results_type& addresses) {
    stream_.next_layer().async_connect(addresses, [this](error_code error, const auto& /*address*/) {
      if (error) return;
      if (!tls_) return ask(stream_.next_layer());
      stream_.async_handshake(asio::ssl::stream_base::client, [this](error_code failed) {
        if (!failed) ask(stream_);
      });
    });
  }
  template <typename Stream>
  void ask(Stream& stream) {
    http::async_write(stream, request_, [this, &stream](error_code error, std::size_t /*size*/) {
      if (error) return;
      http::async_read(stream, buffer_, reply_,
                       [this](error_code failed, std::size_t /*size*/) { answered_ = !failed; });
    });
  }

  bool tls_;
  asio::ssl::context context_{asio::ssl::context::tls_client};
  asio::ip::tcp::resolver resolver_;
  beast::ssl_stream<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_{64U << 10U};
  http::request<http::empty_body> request_;
  http::response<http::string_body> reply_;
  bool answered_ = false;
};

}  // namespace

std::optional<ProbeAnswer> probe(const std::string& host, int port, bool tls, const std::string& target,
                                 std::chrono::milliseconds limit) {
  asio::io_context io(1);
  const Probe probe(io, host, port, tls, target);
  io.run_for(limit);
  return probe.answer();
}

bool is_serving(const std::string& host, int port, bool tls, std::chrono::milliseconds limit) {
  const std::optional<ProbeAnswer> answer = probe(host, port, tls, "/health/ready", limit);
  return answer && answer->status == 200;
}

}  // namespace lamina
