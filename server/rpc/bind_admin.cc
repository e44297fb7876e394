#include <utility>

#include "server/rpc/bindings.h"
#include "server/rpc/not_offered.h"
#include "server/services/operation_service.h"
#include "server/services/server_service.h"
#include "sightline/v1/model_service.grpc.pb.h"
#include "sightline/v1/operation_service.grpc.pb.h"
#include "sightline/v1/server_service.grpc.pb.h"

namespace sightline::server {
namespace {

class ServerBinding final : public Binding {
 public:
  ServerBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    server->AddService(&async_, v1::ServerService::service_full_name());
    server->AddUnary(
        &async_, &v1::ServerService::AsyncService::RequestGetServerInfo, "ServerService/GetServerInfo",
        [this](const RequestPtr&, const v1::GetServerInfoRequest&, v1::GetServerInfoResponse* reply, Done done) {
          service_.GetServerInfo(reply);
          done(absl::OkStatus());
        });
  }

 private:
  v1::ServerService::AsyncService async_;
  ServerService service_;
};

class ModelBinding final : public Binding {
 public:
  explicit ModelBinding(RpcServer* server) {
    using Async = v1::ModelService::AsyncService;
    server->AddService(&async_, v1::ModelService::service_full_name());
    const std::string list = "GetServerInfo lists the models loaded.";
    const std::string load = "Name the models with --models and restart the server.";
    AddNotOffered(server, &async_, &Async::RequestListModels, "ModelService/ListModels", list);
    AddNotOffered(server, &async_, &Async::RequestGetModel, "ModelService/GetModel", list);
    AddNotOffered(server, &async_, &Async::RequestLoadModel, "ModelService/LoadModel", load);
    AddNotOffered(server, &async_, &Async::RequestUnloadModel, "ModelService/UnloadModel", load);
  }

 private:
  v1::ModelService::AsyncService async_;
};

class OperationBinding final : public Binding {
 public:
  OperationBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    using Async = v1::OperationService::AsyncService;
    server->AddService(&async_, v1::OperationService::service_full_name());
    server->AddUnary(
        &async_, &Async::RequestGetOperation, "OperationService/GetOperation",
        [this](const RequestPtr& request, const v1::GetOperationRequest& message, v1::GetOperationResponse* reply,
               Done done) { service_.Get(request, message, reply, std::move(done)); });
    server->AddUnary(
        &async_, &Async::RequestListOperations, "OperationService/ListOperations",
        [this](const RequestPtr& request, const v1::ListOperationsRequest& message, v1::ListOperationsResponse* reply,
               Done done) { service_.List(request, message, reply, std::move(done)); });
    server->AddUnary(
        &async_, &Async::RequestCancelOperation, "OperationService/CancelOperation",
        [this](const RequestPtr& request, const v1::CancelOperationRequest& message, v1::CancelOperationResponse* reply,
               Done done) { service_.Cancel(request, message, reply, std::move(done)); });
  }

 private:
  v1::OperationService::AsyncService async_;
  OperationService service_;
};

}  // namespace

std::unique_ptr<Binding> BindServerService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<ServerBinding>(context, server);
}

std::unique_ptr<Binding> BindModelService(RpcServer* server) { return std::make_unique<ModelBinding>(server); }

std::unique_ptr<Binding> BindOperationService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<OperationBinding>(context, server);
}

}  // namespace sightline::server
