// Messages of the API as what gRPC carries, and gRPC's errors as the messages they came from.
//
// Threading: pure functions. Failure: FromBuffer answers false for what is no message of that type.
#ifndef SIGHTLINE_SERVER_HTTP_MESSAGE_BUFFER_H_
#define SIGHTLINE_SERVER_HTTP_MESSAGE_BUFFER_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "google/rpc/status.pb.h"

namespace sightline::server {

grpc::ByteBuffer ToBuffer(const google::protobuf::Message& message);
bool FromBuffer(const grpc::ByteBuffer& buffer, google::protobuf::Message* message);

// The details that the server sent, or a reason of the gateway's own where gRPC itself refused.
google::rpc::Status FromGrpc(const grpc::Status& status);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_MESSAGE_BUFFER_H_
