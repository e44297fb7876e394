#include "client/cpp/health.h"

#include <grpcpp/generic/generic_stub.h>

#include <vector>

#include "absl/time/clock.h"
#include "base/status.h"
#include "client/cpp/impl.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace sightline::client {
namespace {

constexpr int kServing = 1;

// HealthCheckRequest { string service = 1; }
grpc::ByteBuffer EncodeRequest(const std::string& service) {
  std::string bytes;
  if (!service.empty()) {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.WriteTag(1 << 3 | 2);
    out.WriteVarint32(static_cast<uint32_t>(service.size()));
    out.WriteString(service);
  }
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// HealthCheckResponse { ServingStatus status = 1; }
int DecodeStatus(grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return 0;
  for (const auto& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  uint32_t value = 0;
  return in.ReadTag() == (1 << 3 | 0) && in.ReadVarint32(&value) ? static_cast<int>(value) : 0;
}

}  // namespace

absl::StatusOr<Health> CheckHealthOf(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                                     const CallSite& site) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + site.deadline));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", EncodeRequest(service), &queue);
  grpc::ByteBuffer reply;
  grpc::Status status;
  call->StartCall();
  call->Finish(&reply, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) return Health::kUnknownService;
  SIGHTLINE_RETURN_IF_ERROR(FromGrpc(status, site));
  return DecodeStatus(reply) == kServing ? Health::kServing : Health::kNotServing;
}

}  // namespace sightline::client
