// Binds the services to gRPC: one function for each service of the API. Every RPC of the API is bound.
//
// Threading: to be called once each, before RpcServer::Start. Ownership: a binding owns what its handlers use and must
// outlive the server.
#ifndef SIGHTLINE_SERVER_RPC_BINDINGS_H_
#define SIGHTLINE_SERVER_RPC_BINDINGS_H_

#include <memory>

#include "server/rpc/rpc_server.h"
#include "server/services/service_context.h"

namespace sightline::server {

class Binding {
 public:
  virtual ~Binding() = default;
};

std::unique_ptr<Binding> BindSearchService(const ServiceContext& context, RpcServer* server);
std::unique_ptr<Binding> BindIndexService(const ServiceContext& context, RpcServer* server);
std::unique_ptr<Binding> BindCollectionService(const ServiceContext& context, RpcServer* server);
std::unique_ptr<Binding> BindServerService(const ServiceContext& context, RpcServer* server);
std::unique_ptr<Binding> BindModelService(const ServiceContext& context, RpcServer* server);
std::unique_ptr<Binding> BindOperationService(const ServiceContext& context, RpcServer* server);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_BINDINGS_H_
