// Bodies of messages for Beast, held as Buffers: what arrives is written once where it stays, what leaves is
// gathered from its parts.
#pragma once

#include "base/buffer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/buffer_traits.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>

namespace lamina {

// Beast's BodyReader. The parser's body_limit bounds what is kept.
struct RequestBody {
  struct value_type {  // NOLINT(readability-identifier-naming): Beast's name
    std::shared_ptr<std::byte[]> bytes;
    std::size_t size = 0;
    std::size_t capacity = 0;

    Buffer take() { return Buffer::take(std::move(bytes), std::exchange(size, 0)); }
  };

  static std::uint64_t size(const value_type& body) { return body.size; }

  class reader {  // NOLINT(readability-identifier-naming): Beast's name
   public:
    template <bool isRequest, class Fields>
    reader(boost::beast::http::header<isRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& length, boost::system::error_code& ec) {
      ec = {};
      if (length) reserve(static_cast<std::size_t>(*length), ec);
    }

    template <class ConstBufferSequence>
    std::size_t put(const ConstBufferSequence& buffers, boost::system::error_code& ec) {
      ec = {};
      const std::size_t count = boost::beast::buffer_bytes(buffers);
      // A body of unknown length grows by doubling.
      if (count > body_.capacity - body_.size) reserve(std::max(body_.size + count, 2 * body_.capacity), ec);
      if (ec) return 0;
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        std::memcpy(body_.bytes.get() + body_.size, buffer.data(), buffer.size());
        body_.size += buffer.size();
      }
      return count;
    }

    void finish(boost::system::error_code& ec) { ec = {}; }

   private:
    void reserve(std::size_t capacity, boost::system::error_code& ec) {
      try {
        std::shared_ptr<std::byte[]> bytes = allocate_bytes(capacity);
        if (body_.size > 0) std::memcpy(bytes.get(), body_.bytes.get(), body_.size);
        body_.bytes = std::move(bytes);
        body_.capacity = capacity;
      } catch (const std::bad_alloc&) {
        ec = boost::asio::error::no_memory;
      }
    }

    value_type& body_;
  };
};

// Beast's BodyWriter.
struct ReplyBody {
  using value_type = std::vector<Buffer>;

  static std::uint64_t size(const value_type& parts) {
    std::uint64_t size = 0;
    for (const Buffer& part : parts) size += part.size();
    return size;
  }

  class writer {  // NOLINT(readability-identifier-naming): Beast's name
   public:
    using const_buffers_type = std::vector<boost::asio::const_buffer>;

    template <bool isRequest, class Fields>
    writer(const boost::beast::http::header<isRequest, Fields>&, const value_type& parts) : parts_(parts) {}

    void init(boost::system::error_code& ec) { ec = {}; }

    boost::optional<std::pair<const_buffers_type, bool>> get(boost::system::error_code& ec) {
      ec = {};
      const_buffers_type buffers;
      for (const Buffer& part : parts_) buffers.emplace_back(part.data(), part.size());
      if (buffers.empty()) return boost::none;
      return {{std::move(buffers), false}};
    }

   private:
    const value_type& parts_;
  };
};

}  // namespace lamina
