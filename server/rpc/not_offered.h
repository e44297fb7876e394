// Binds RPCs that this version does not offer.
#ifndef SIGHTLINE_SERVER_RPC_NOT_OFFERED_H_
#define SIGHTLINE_SERVER_RPC_NOT_OFFERED_H_

#include <string>

#include "server/rpc/rpc_server.h"
#include "server/services/service_context.h"

namespace sightline::server {

// Binds a unary RPC to UNIMPLEMENTED; `name` is "Service/Method", `hint` a sentence that says what to do instead.
template <typename Service, typename Base, typename Req, typename Resp>
void AddNotOffered(RpcServer* server, Service* service,
                   void (Base::*request)(grpc::ServerContext*, Req*, grpc::ServerAsyncResponseWriter<Resp>*,
                                         grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                   const std::string& name, const std::string& hint) {
  const absl::Status status = NotOffered(name.substr(name.find('/') + 1), hint);
  server->AddUnary(service, request, name, [status](const RequestPtr&, const Req&, Resp*, Done done) { done(status); });
}

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_NOT_OFFERED_H_
