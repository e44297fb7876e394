#include "server/http/message_buffer.h"

#include <grpc/slice.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/rpc/status_map.h"

namespace sightline::server {
namespace {

// gRPC's own words, such as "Deadline Exceeded", do not say what to do.
absl::Status InWords(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return base::Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED",
                         "the time of the header Grpc-Timeout passed before the answer was ready. Allow more, or ask "
                         "for less.");
    case grpc::StatusCode::UNAVAILABLE:
      return base::RetryableError(absl::StatusCode::kUnavailable, "DRAINING",
                                  "the server is shutting down. Try again, on another server if there is one.",
                                  absl::Seconds(1));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return base::Error(absl::StatusCode::kResourceExhausted, "MESSAGE_TOO_LARGE",
                         absl::StrCat(status.error_message(), ". Ask for less, or raise --max_message_bytes."));
    default:
      return base::Error(static_cast<absl::StatusCode>(status.error_code()), "GRPC",
                         absl::StrCat("gRPC says: ", status.error_message(), ". See the server's log."));
  }
}

}  // namespace

grpc::ByteBuffer ToBuffer(const google::protobuf::Message& message) {
  // Written straight into what gRPC carries: a message may hold two images.
  grpc_slice raw = grpc_slice_malloc(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(GRPC_SLICE_START_PTR(raw));
  const grpc::Slice slice(raw, grpc::Slice::STEAL_REF);
  return grpc::ByteBuffer(&slice, 1);
}

bool FromBuffer(const grpc::ByteBuffer& buffer, google::protobuf::Message* message) {
  grpc::ByteBuffer copy(buffer);  // shares the bytes; the reader wants to write to it
  grpc::ProtoBufferReader reader(&copy);
  return reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
}

google::rpc::Status FromGrpc(const grpc::Status& status) {
  google::rpc::Status out;
  if (!status.error_details().empty() && out.ParseFromString(status.error_details()) &&
      out.code() == static_cast<int>(status.error_code())) {
    return out;
  }
  return ToRpcStatus(InWords(status));
}

}  // namespace sightline::server
