#include "cluster/keeper.h"

#include "base/error.h"
#include "base/file.h"
#include "cluster/listener.h"
#include "cluster/status.h"
#include "keeper.grpc.pb.h"

#include <algorithm>
#include <span>
#include <utility>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

namespace lamina {

namespace {

constexpr std::size_t kPart = std::size_t{1} << 20U;
constexpr std::uint64_t kMaxRequest = 64U << 10U;
constexpr std::chrono::minutes kTransfer{30};
constexpr std::chrono::seconds kDrain{2};

class Service final : public v1::Keeper::Service {
 public:
  Service(std::filesystem::path directory, std::set<std::string> names)
      : directory_(std::move(directory)), names_(std::move(names)) {}

  grpc::Status Get(grpc::ServerContext*, const v1::FileRequest* request,
                   grpc::ServerWriter<v1::FilePart>* stream) override {
    try {
      if (!names_.contains(request->name()))
        fail(ErrorCode::not_found, "no file '{}' is kept here", request->name());
      const Buffer file = map_file(directory_ / request->name(), Links::refuse);
      const std::span<const std::byte> bytes = file.bytes();
      std::size_t sent = 0;
      v1::FilePart part;
      part.set_size(bytes.size());
      do {
        const std::size_t size = std::min(kPart, bytes.size() - sent);
        part.set_data(bytes.data() + sent, size);
        sent += size;
      } while (stream->Write(part) && sent < bytes.size());
      release_pages(file);
      return grpc::Status::OK;
    } catch (const Error& error) {
      return to_status(error);
    }
  }

 private:
  const std::filesystem::path directory_;
  const std::set<std::string> names_;
};

}  // namespace

class FileKeeper::Implementation {
 public:
  Implementation(std::filesystem::path directory, std::set<std::string> names, const std::string& listen,
                 const TlsFiles& tls)
      : service_(std::move(directory), std::move(names)),
        listener_(listen_at(listen, tls, kMaxRequest, {&service_}, "the keeper")) {}
  ~Implementation() { listener_.server->Shutdown(std::chrono::system_clock::now() + kDrain); }
  const std::string& address() const { return listener_.address; }

 private:
  Service service_;
  Listener listener_;
};

FileKeeper::FileKeeper(std::filesystem::path directory, std::set<std::string> names,
                       const std::string& listen, const TlsFiles& tls)
    : implementation_(std::make_unique<Implementation>(std::move(directory), std::move(names), listen, tls)) {
}

FileKeeper::~FileKeeper() = default;

const std::string& FileKeeper::address() const { return implementation_->address(); }

bool fetch_file(const std::string& address, const TlsFiles& tls, const std::string& name,
                const std::filesystem::path& directory, std::chrono::milliseconds start) {
  const std::string peer = "the keeper at '" + address + "'";
  const std::shared_ptr<grpc::Channel> channel = open_channel(address, tls);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + start)) {
    fail(ErrorCode::unavailable, "{} can't be reached within {} s", peer,
         std::chrono::duration_cast<std::chrono::seconds>(start).count());
  }
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTransfer);
  v1::FileRequest request;
  request.set_name(name);
  const auto stream = v1::Keeper::NewStub(channel)->Get(&context, request);
  AtomicFile file(directory / name);
  v1::FilePart part;
  std::uint64_t size = 0;
  while (stream->Read(&part)) {
    size = part.size();
    if (part.data().size() > size - file.size()) {
      context.TryCancel();
      fail(ErrorCode::corrupt, "{} sends more of '{}' than the {} bytes it announced", peer, name, size);
    }
    file.write(std::as_bytes(std::span(part.data())));
  }
  try {
    throw_if_failed(stream->Finish(), peer);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) return false;
    throw;
  }
  if (file.size() != size)
    fail(ErrorCode::corrupt, "'{}' of {} breaks off at {} of {} bytes", name, peer, file.size(), size);
  file.commit();
  return true;
}

}  // namespace lamina
