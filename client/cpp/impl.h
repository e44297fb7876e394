// Client::Impl: the connection and its stubs. Only this folder's .cc files include it, so that users of Client need no
// gRPC headers.
#ifndef SIGHTLINE_CLIENT_CPP_IMPL_H_
#define SIGHTLINE_CLIENT_CPP_IMPL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "client/cpp/client.h"
#include "client/cpp/rpc_status.h"
#include "sightline/v1/collection_service.grpc.pb.h"
#include "sightline/v1/index_service.grpc.pb.h"
#include "sightline/v1/model_service.grpc.pb.h"
#include "sightline/v1/operation_service.grpc.pb.h"
#include "sightline/v1/search_service.grpc.pb.h"
#include "sightline/v1/server_service.grpc.pb.h"

namespace sightline::client {

struct Client::Impl {
  Options options;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::SearchService::Stub> search;
  std::unique_ptr<v1::IndexService::Stub> index;
  std::unique_ptr<v1::CollectionService::Stub> collections;
  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::OperationService::Stub> operations;
  std::unique_ptr<v1::ServerService::Stub> server;
};

// What every call carries beside its message.
inline void AddCredentials(const Client::Options& options, grpc::ClientContext* context) {
  if (!options.api_key.empty()) context->AddMetadata("authorization", "Bearer " + options.api_key);
}

inline absl::Status FromGrpc(const grpc::Status& status, const CallSite& site) {
  return FromCall(status.error_code(), status.error_message(), status.error_details(), site);
}

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_IMPL_H_
