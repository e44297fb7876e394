// Rpc: the bare API for black-box tests: one stub per service, and calls whose errors are absl::Status as the client
// library decodes them.
//
// Threading: as gRPC's stubs. Ownership: owns its channel. Failure: Status.
#ifndef SIGHTLINE_TESTS_E2E_RPC_H_
#define SIGHTLINE_TESTS_E2E_RPC_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/rpc_status.h"
#include "sightline/v1/collection_service.grpc.pb.h"
#include "sightline/v1/index_service.grpc.pb.h"
#include "sightline/v1/model_service.grpc.pb.h"
#include "sightline/v1/operation_service.grpc.pb.h"
#include "sightline/v1/search_service.grpc.pb.h"
#include "sightline/v1/server_service.grpc.pb.h"

namespace sightline::testing {

struct Rpc {
  explicit Rpc(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    search = v1::SearchService::NewStub(channel);
    index = v1::IndexService::NewStub(channel);
    collections = v1::CollectionService::NewStub(channel);
    models = v1::ModelService::NewStub(channel);
    operations = v1::OperationService::NewStub(channel);
    server = v1::ServerService::NewStub(channel);
  }

  static absl::Status Decode(const grpc::Status& status) {
    return client::FromCall(status.error_code(), status.error_message(), status.error_details(),
                            {"the server", absl::Seconds(20)});
  }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::SearchService::Stub> search;
  std::unique_ptr<v1::IndexService::Stub> index;
  std::unique_ptr<v1::CollectionService::Stub> collections;
  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::OperationService::Stub> operations;
  std::unique_ptr<v1::ServerService::Stub> server;
};

// A unary call; the reply is thrown away.
template <typename Stub, typename Request, typename Response>
absl::Status Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request) {
  grpc::ClientContext context;
  Rpc::SetDeadline(context);
  Response response;
  return Rpc::Decode((stub.*method)(&context, request, &response));
}

// A descriptor of the embedding space "space".
inline v1::EmbeddingVector Vector(const std::vector<float>& values, const std::string& space = "space") {
  v1::EmbeddingVector vector;
  vector.mutable_values()->Add(values.begin(), values.end());
  vector.set_embedding_space(space);
  return vector;
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_RPC_H_
