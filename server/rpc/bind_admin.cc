#include <utility>

#include "server/rpc/bindings.h"
#include "server/services/model_service.h"
#include "server/services/operation_service.h"
#include "server/services/server_service.h"
#include "sightline/v1/model_service.pb.h"
#include "sightline/v1/operation_service.pb.h"
#include "sightline/v1/server_service.pb.h"

namespace sightline::server {
namespace {

class ServerBinding final : public Binding {
 public:
  ServerBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    server->AddUnary("ServerService/GetServerInfo", [this](const RequestPtr& request, const v1::GetServerInfoRequest&,
                                                           v1::GetServerInfoResponse* reply, Done done) {
      service_.GetServerInfo(request->call(), reply);
      done(absl::OkStatus());
    });
  }

 private:
  ServerService service_;
};

class ModelBinding final : public Binding {
 public:
  ModelBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    server->AddUnary("ModelService/ListModels", [this](const RequestPtr& request, const v1::ListModelsRequest& message,
                                                       v1::ListModelsResponse* reply, Done done) {
      service_.List(request, message, reply, std::move(done));
    });
    server->AddUnary("ModelService/GetModel",
                     [this](const RequestPtr& request, const v1::GetModelRequest& message, v1::GetModelResponse* reply,
                            Done done) { service_.Get(request, message, reply, std::move(done)); });
    server->AddUnary("ModelService/LoadModel", [this](const RequestPtr& request, const v1::LoadModelRequest& message,
                                                      v1::LoadModelResponse* reply, Done done) {
      service_.Load(request, message, reply, std::move(done));
    });
    server->AddUnary(
        "ModelService/UnloadModel",
        [this](const RequestPtr& request, const v1::UnloadModelRequest& message, v1::UnloadModelResponse* reply,
               Done done) { service_.Unload(request, message, reply, std::move(done)); });
  }

 private:
  ModelService service_;
};

class OperationBinding final : public Binding {
 public:
  OperationBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    server->AddUnary(
        "OperationService/GetOperation",
        [this](const RequestPtr& request, const v1::GetOperationRequest& message, v1::GetOperationResponse* reply,
               Done done) { service_.Get(request, message, reply, std::move(done)); });
    server->AddUnary(
        "OperationService/ListOperations",
        [this](const RequestPtr& request, const v1::ListOperationsRequest& message, v1::ListOperationsResponse* reply,
               Done done) { service_.List(request, message, reply, std::move(done)); });
    server->AddUnary(
        "OperationService/CancelOperation",
        [this](const RequestPtr& request, const v1::CancelOperationRequest& message, v1::CancelOperationResponse* reply,
               Done done) { service_.Cancel(request, message, reply, std::move(done)); });
  }

 private:
  OperationService service_;
};

}  // namespace

std::unique_ptr<Binding> BindServerService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<ServerBinding>(context, server);
}

std::unique_ptr<Binding> BindModelService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<ModelBinding>(context, server);
}

std::unique_ptr<Binding> BindOperationService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<OperationBinding>(context, server);
}

}  // namespace sightline::server
