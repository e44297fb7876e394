// Guarded: a request as it comes from the network, looked at before it becomes a message.
//
// A message takes far more memory than its bytes: an empty message in a list is two bytes on the wire and more than a
// hundred in memory, so that a 40 MB request could take gigabytes before anybody had asked for its key. The fields on
// the wire are counted first, and a request that has more than any needs, or that is no message at all, is refused with
// a sentence where gRPC would parse the one and answer the other with INTERNAL.
//
// Threading: as a message. Ownership: holds the message. Failure: `status`.
//
//   Guarded<v1::SearchRequest> request;  // in the place of the message, where gRPC reads into it
//   if (request.status.ok()) Handle(request.message);
#ifndef SIGHTLINE_SERVER_RPC_GUARDED_MESSAGE_H_
#define SIGHTLINE_SERVER_RPC_GUARDED_MESSAGE_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/zero_copy_stream.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <cstdint>

#include "absl/status/status.h"

namespace sightline::server {

// On all levels of a request together. The largest that means something is one of 100,000 pairs, of five fields each.
inline constexpr int kMostMessageFields = 500'000;

template <typename Message>
struct Guarded {
  Message message;
  absl::Status status;
  int64_t bytes = 0;  // that it had on the wire
};

// Counts the fields of a message of `type` on the wire: INVALID_ARGUMENT for too many, for messages nested deeper than
// protobuf reads them, and for bytes that are no fields.
absl::Status CheckFields(google::protobuf::io::ZeroCopyInputStream* bytes, const google::protobuf::Descriptor* type,
                         int most_fields = kMostMessageFields);

// From gRPC's bytes to `message`, which stays empty when it is refused.
absl::Status ReadGuarded(grpc::ByteBuffer* bytes, google::protobuf::Message* message);

// For a call that ends without a message.
absl::Status MessageMissing();

}  // namespace sightline::server

namespace grpc {

template <typename Message>
class SerializationTraits<sightline::server::Guarded<Message>> {
 public:
  // Never fails for gRPC: what is wrong is answered with our own words.
  static Status Deserialize(ByteBuffer* bytes, sightline::server::Guarded<Message>* guarded) {
    guarded->message.Clear();
    guarded->bytes = static_cast<int64_t>(bytes->Length());
    guarded->status = sightline::server::ReadGuarded(bytes, &guarded->message);
    return Status::OK;
  }
};

}  // namespace grpc

#endif  // SIGHTLINE_SERVER_RPC_GUARDED_MESSAGE_H_
